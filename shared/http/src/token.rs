//! Tokens: JWTs signed with Ed25519, for one API, client and, for client events, customer.

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::ErrorKind,
};
use punchcard_models::{
    access::{Access, Denied, Scope, SigningKey},
    timestamp::Timestamp,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use signature::{Signer, Verifier};
use uuid::Uuid;

const ISSUER: &str = "punchcard";

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The API that it is for.
    pub aud: String,
    /// The client that it was issued to.
    pub sub: String,
    /// The customer that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// From when on it no longer counts, in seconds since 1970.
    pub exp: i64,
    /// Tells it from the client's others.
    pub jti: Uuid,
}

impl Claims {
    /// What a token for `client` says that is valid for `seconds` from `now` on.
    #[must_use]
    pub fn new(scope: Scope, client: &str, customer: Option<&str>, now: Timestamp, seconds: i64) -> Self {
        let iat = now.as_millis().div_euclid(1000);
        Claims {
            iss: ISSUER.to_owned(),
            aud: scope.as_str().to_owned(),
            sub: client.to_owned(),
            cid: customer.map(str::to_owned),
            iat,
            exp: iat + seconds,
            jti: Uuid::new_v4(),
        }
    }
}

/// A key can't be used for signing.
#[derive(Debug, thiserror::Error)]
#[error("the signing key could not be used: {0}")]
pub struct UnusableKey(&'static str);

/// Signs a token.
///
/// # Errors
/// The key isn't one.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<String, UnusableKey> {
    install_ring();
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&key.pkcs8))
        .map_err(|_| UnusableKey("not an Ed25519 key pair in PKCS#8"))
}

/// Verifies a token for an API.
///
/// # Errors
/// Why it proves nothing.
pub fn verify(token: &str, access: &Access, scope: Scope) -> Result<Claims, Denied> {
    install_ring();
    let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Malformed)?;
    let key = access.public_keys.get(&header.kid.ok_or(Denied::Malformed)?).ok_or(Denied::UnknownKey)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.leeway = 0;
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[scope.as_str()]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    match jsonwebtoken::decode(token, &DecodingKey::from_ed_der(key), &rules) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::ExpiredSignature => Denied::Expired,
            ErrorKind::InvalidAudience => Denied::WrongScope,
            _ => Denied::BadToken,
        }),
    }
}

/// Makes a new key: the pair to sign with, and the public key to verify with.
///
/// # Errors
/// The system has no randomness.
pub fn generate() -> Result<(SigningKey, Vec<u8>), UnusableKey> {
    let random = ring::rand::SystemRandom::new();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| UnusableKey("no randomness"))?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| UnusableKey("not a key"))?;
    let public = pair.public_key().as_ref().to_vec();
    Ok((SigningKey { id: Uuid::now_v7().to_string(), pkcs8: pkcs8.as_ref().to_vec() }, public))
}

/// Ed25519 by ring, which TLS uses already; a token of any other algorithm, or of none, finds no verifier.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => match Ed25519KeyPair::from_pkcs8(key.as_bytes()) {
            Ok(pair) => Ok(Box::new(RingSigner(pair))),
            Err(_) => Err(ErrorKind::InvalidEddsaKey.into()),
        },
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => Ok(Box::new(RingVerifier(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_ring() {
    // Installing what is installed already is no error to us.
    RING.install_default().ok();
}

struct RingSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct RingVerifier(Vec<u8>);

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 4_000_000_000_000;

    fn claims() -> Claims {
        Claims::new(Scope::ClientEvents, "client", Some("customer"), Timestamp::from_millis(NOW), 900)
    }

    fn access(id: &str, public: &[u8]) -> Access {
        let public = public.try_into().expect("32 bytes");
        Access { public_keys: [(id.to_owned(), public)].into(), ..Access::default() }
    }

    #[test]
    fn a_token_proves_what_it_says_to_its_own_api_only() {
        let (key, public) = generate().expect("a key");
        let access = access(&key.id, &public);
        let token = sign(&claims(), &key).expect("a token");
        let read = verify(&token, &access, Scope::ClientEvents).expect("valid");
        assert_eq!((read.sub.as_str(), read.cid.as_deref()), ("client", Some("customer")));
        assert_eq!(verify(&token, &access, Scope::Activities).err(), Some(Denied::WrongScope));
    }

    #[test]
    fn a_token_is_refused_when_it_is_not_ours_not_now_or_not_whole() {
        let (key, public) = generate().expect("a key");
        let (other, _) = generate().expect("a key");
        let access = access(&key.id, &public);
        let denied = |token: &str| verify(token, &access, Scope::ClientEvents).err();

        let forged = SigningKey { id: key.id.clone(), ..other.clone() };
        assert_eq!(denied(&sign(&claims(), &forged).expect("a token")), Some(Denied::BadToken));
        assert_eq!(denied(&sign(&claims(), &other).expect("a token")), Some(Denied::UnknownKey));

        let old = Claims::new(Scope::ClientEvents, "client", None, Timestamp::from_millis(0), 900);
        assert_eq!(denied(&sign(&old, &key).expect("a token")), Some(Denied::Expired));
        let foreign = Claims { iss: "somebody".to_owned(), ..claims() };
        assert_eq!(denied(&sign(&foreign, &key).expect("a token")), Some(Denied::BadToken));

        let token = sign(&claims(), &key).expect("a token");
        let (signed, _) = token.rsplit_once('.').expect("three parts");
        assert!(denied(signed).is_some());
        assert_eq!(denied(&format!("{signed}.")), Some(Denied::BadToken));
        for text in ["", ".", "..", "a.b.c", "é.é.é"] {
            assert!(denied(text).is_some(), "{text}");
        }
    }
}
