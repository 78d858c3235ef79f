//! Authentication: bearer tokens, HTTP Basic and API keys.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use punchcard_models::{
    access::{Access, Denied, Scope},
    fault::{FaultKind, Faults, Noted, Pointer},
    ids::{ClientId, CustomerId, InvalidId},
};

use crate::{call::Call, token::Verifier};

const CUSTOMER: &str = "x-source-customer-id";

/// Verifies the `Authorization: Bearer` token for `scope` and returns the client that it was issued to. Client-event
/// tokens are bound to one customer and rejected for any other.
///
/// # Errors
/// The reason why authentication failed.
pub fn bearer(call: &Call<'_>, tokens: &Verifier, access: &Access, scope: Scope) -> Result<ClientId, Denied> {
    let claims = tokens.verify(credential(call, "Bearer")?, access, scope.api(), call.now)?;
    let client = claims.sub.parse().map_err(|_| Denied::BadToken)?;
    access.still_allowed(&client, scope)?;
    // A header that is not valid UTF-8 is a validation error, reported by `customer`, not an authentication failure.
    let customer = call.header(CUSTOMER).ok().flatten().filter(|sent| !sent.trim().is_empty());
    match (scope, claims.cid.as_deref(), customer) {
        // Tokens for client events are always issued with a customer.
        (Scope::ClientEvents, None, _) => Err(Denied::BadToken),
        (Scope::ClientEvents, Some(bound), Some(sent)) if bound != sent => Err(Denied::OtherCustomer),
        (Scope::ClientEvents | Scope::Activities | Scope::Corrections, _, _) => Ok(client),
    }
}

/// Returns the customer named by `x-source-customer-id`.
///
/// # Errors
/// The header is absent, blank or not a valid id, which is noted in `faults`.
pub fn customer(call: &Call<'_>, faults: &Faults) -> Result<CustomerId, Noted> {
    let (kind, message) = match call.header(CUSTOMER) {
        Ok(Some(id)) => match id.parse() {
            Ok(customer) => return Ok(customer),
            Err(invalid) => (FaultKind::Invalid, invalid_customer(invalid)),
        },
        Ok(None) => (FaultKind::Missing, format!("the header {CUSTOMER} is required")),
        Err(not_utf8) => (FaultKind::Invalid, not_utf8.to_string()),
    };
    faults.note(Pointer::Root, kind, message);
    Err(Noted)
}

fn invalid_customer(invalid: InvalidId) -> String {
    format!("the header {CUSTOMER} {invalid}")
}

/// Returns the id and secret of `Authorization: Basic`, or `None` if the header is absent.
///
/// # Errors
/// The header is not valid.
pub fn basic(call: &Call<'_>) -> Result<Option<(String, String)>, Denied> {
    let credential = match credential(call, "Basic") {
        Err(Denied::Missing) => return Ok(None),
        credential => credential?,
    };
    let decoded = BASE64_STANDARD.decode(credential).map_err(|_| Denied::Malformed)?;
    let decoded = String::from_utf8(decoded).map_err(|_| Denied::Malformed)?;
    let (id, secret) = decoded.split_once(':').ok_or(Denied::Malformed)?;
    // RFC 6749, 2.3.1: both are form-encoded before they are joined.
    let decode = |text: &str| -> String {
        form_urlencoded::parse(format!("={}", text.replace('&', "%26")).as_bytes()).map(|(_, value)| value).collect()
    };
    Ok(Some((decode(id), decode(secret))))
}

/// Verifies the `APIKey` header.
///
/// # Errors
/// The reason why authentication failed.
pub fn api_key(call: &Call<'_>, access: &Access) -> Result<(), Denied> {
    access.api_key(sent_key(call)?).map(|_| ())
}

/// Verifies the `APIKey` header, and the key's secret in the `SecretKey` header.
///
/// # Errors
/// The reason why authentication failed.
pub fn secret_key(call: &Call<'_>, access: &Access) -> Result<(), Denied> {
    let key = sent_key(call)?;
    let secret = call.header("secretkey")?.filter(|secret| !secret.is_empty()).ok_or(Denied::Missing)?;
    access.secret_key(key, secret).map(|_| ())
}

fn sent_key<'r>(call: &Call<'r>) -> Result<&'r str, Denied> {
    call.header("apikey")?.filter(|key| !key.is_empty()).ok_or(Denied::Missing)
}

fn credential<'r>(call: &Call<'r>, scheme: &str) -> Result<&'r str, Denied> {
    let header = call.header("authorization")?.ok_or(Denied::Missing)?;
    let (sent, credential) = header.split_once(' ').ok_or(Denied::Malformed)?;
    if !sent.eq_ignore_ascii_case(scheme) {
        return Err(Denied::Malformed);
    }
    Ok(credential.trim_matches(' '))
}
