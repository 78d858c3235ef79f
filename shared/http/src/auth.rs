//! How callers prove themselves.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use punchcard_models::{
    access::{Access, Denied, Scope},
    fault::{FaultKind, Faults, Noted, Pointer},
    ids::{ClientId, CustomerId},
};

use crate::{call::Call, token::Verifier};

const CUSTOMER: &str = "x-source-customer-id";

/// Verifies `Authorization: Bearer` for an API: says to which client the token was issued. A token that is bound to
/// a customer proves nothing for another.
///
/// # Errors
/// Why the caller is not let in.
pub fn bearer(call: &Call<'_>, tokens: &Verifier, access: &Access, scope: Scope) -> Result<ClientId, Denied> {
    let claims = tokens.verify(credential(call, "Bearer")?, access, scope, call.now)?;
    let client = ClientId::new(&claims.sub).map_err(|_| Denied::BadToken)?;
    access.still_allowed(&client, scope)?;
    let customer = call.header(CUSTOMER).filter(|sent| !sent.trim().is_empty());
    match (scope, claims.cid.as_deref(), customer) {
        // Nobody gets such a token from us.
        (Scope::ClientEvents, None, _) => Err(Denied::BadToken),
        (Scope::ClientEvents, Some(bound), Some(sent)) if bound != sent => Err(Denied::OtherCustomer),
        (Scope::ClientEvents | Scope::Activities, _, _) => Ok(client),
    }
}

/// The customer that `x-source-customer-id` names.
///
/// # Errors
/// The header is missing or blank, or no id.
pub fn customer(call: &Call<'_>, faults: &Faults) -> Result<CustomerId, Noted> {
    let (kind, message) = match call.header(CUSTOMER).map(CustomerId::new) {
        Some(Ok(customer)) => return Ok(customer),
        Some(Err(rule)) => (FaultKind::Invalid, rule),
        None => (FaultKind::Missing, "is required"),
    };
    faults.note(Pointer::Root, kind, format!("the header {CUSTOMER} {message}"));
    Err(Noted)
}

/// The id and secret of `Authorization: Basic`, if there is one.
///
/// # Errors
/// It is there and can't be read.
pub fn basic(call: &Call<'_>) -> Result<Option<(String, String)>, Denied> {
    if call.header("authorization").is_none() {
        return Ok(None);
    }
    let decoded = BASE64_STANDARD.decode(credential(call, "Basic")?).map_err(|_| Denied::Malformed)?;
    let decoded = String::from_utf8(decoded).map_err(|_| Denied::Malformed)?;
    let (id, secret) = decoded.split_once(':').ok_or(Denied::Malformed)?;
    // RFC 6749 has both form-encoded before they are joined.
    let decode = |text: &str| -> String {
        form_urlencoded::parse(format!("={}", text.replace('&', "%26")).as_bytes()).map(|(_, value)| value).collect()
    };
    Ok(Some((decode(id), decode(secret))))
}

/// Verifies the `APIKey` header.
///
/// # Errors
/// Why the caller is not let in.
pub fn api_key(call: &Call<'_>, access: &Access) -> Result<(), Denied> {
    let key = call.header("apikey").filter(|key| !key.is_empty()).ok_or(Denied::Missing)?;
    access.api_key(key).map(|_| ())
}

fn credential<'r>(call: &Call<'r>, scheme: &str) -> Result<&'r str, Denied> {
    let header = call.header("authorization").ok_or(Denied::Missing)?;
    let (sent, credential) = header.split_once(' ').ok_or(Denied::Malformed)?;
    if !sent.eq_ignore_ascii_case(scheme) {
        return Err(Denied::Malformed);
    }
    Ok(credential.trim_matches(' '))
}
