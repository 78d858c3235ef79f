//! Tokens: JWTs signed with Ed25519, for one API, client and, for client events, customer.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::ErrorKind,
};
use lru::LruCache;
use punchcard_models::{
    access::{Access, Denied, PublicKey, Scope, SecretDigest, SigningKey},
    timestamp::Timestamp,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use signature::Signer;
use uuid::Uuid;

const ISSUER: &str = "punchcard";

/// What a token says. All of it is there in every token of ours.
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
    /// The claims of a token for `client` that is valid for `lifetime` from `now` on.
    #[must_use]
    pub fn new(scope: Scope, client: &str, customer: Option<&str>, now: Timestamp, lifetime: Duration) -> Self {
        let iat = now.as_millis().div_euclid(1000);
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Claims {
            iss: ISSUER.to_owned(),
            aud: scope.as_str().to_owned(),
            sub: client.to_owned(),
            cid: customer.map(str::to_owned),
            iat,
            exp: iat.saturating_add(lifetime),
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

/// How many tokens a [`Verifier`] remembers.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Verifies tokens, and remembers those that it has verified: a client sends each many times, and its signature costs
/// as much as all else that the request computes.
#[derive(Debug)]
pub struct Verifier(Mutex<LruCache<SecretDigest, Verified>>);

/// A token that was once found good, and by which key.
#[derive(Debug, Clone)]
struct Verified {
    claims: Arc<Claims>,
    key_id: String,
    key: PublicKey,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Verifier {
    /// Verifies a token for an API. The signature of a remembered one isn't computed again; whether its key still
    /// counts, what it is for and how long is looked at each time.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(&self, token: &str, access: &Access, scope: Scope, now: Timestamp) -> Result<Arc<Claims>, Denied> {
        let digest = SecretDigest::of(token);
        let seen = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = seen().get(&digest).filter(|token| token.is_still_known(access)).cloned();
        let claims = if let Some(token) = remembered {
            token.claims
        } else {
            let token = check_signature(token, access)?;
            let claims = token.claims.clone();
            seen().put(digest, token);
            claims
        };
        if claims.iss != ISSUER {
            return Err(Denied::BadToken);
        }
        if claims.exp.saturating_mul(1000) <= now.as_millis() {
            return Err(Denied::Expired);
        }
        if claims.aud != scope.as_str() {
            return Err(Denied::WrongScope);
        }
        Ok(claims)
    }
}

impl Verified {
    fn is_still_known(&self, access: &Access) -> bool {
        access.public_keys.get(&self.key_id) == Some(&self.key)
    }
}

/// Whether one of our keys has signed it, whatever it says.
fn check_signature(token: &str, access: &Access) -> Result<Verified, Denied> {
    install_ring();
    let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Malformed)?;
    let key_id = header.kid.ok_or(Denied::Malformed)?;
    let key = *access.public_keys.get(&key_id).ok_or(Denied::UnknownKey)?;
    // What the claims say is not for the library to judge: it would ask a clock of its own.
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let token = jsonwebtoken::decode(token, &DecodingKey::from_ed_der(&key), &rules).map_err(|_| Denied::BadToken)?;
    Ok(Verified { claims: Arc::new(token.claims), key_id, key })
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

impl signature::Verifier<Vec<u8>> for RingVerifier {
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
        Claims::new(
            Scope::ClientEvents,
            "client",
            Some("customer"),
            Timestamp::from_millis(NOW),
            Duration::from_mins(15),
        )
    }

    fn access(id: &str, public: &[u8]) -> Access {
        let public = public.try_into().expect("32 bytes");
        Access { public_keys: [(id.to_owned(), public)].into(), ..Access::default() }
    }

    fn verify(token: &str, access: &Access, scope: Scope) -> Result<Arc<Claims>, Denied> {
        Verifier::default().verify(token, access, scope, Timestamp::from_millis(NOW))
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

        let old = Claims::new(
            Scope::ClientEvents,
            "client",
            None,
            Timestamp::from_millis(NOW - 900_000),
            Duration::from_mins(15),
        );
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

    #[test]
    fn a_remembered_token_proves_no_more_than_a_new_one() {
        let (key, public) = generate().expect("a key");
        let (_, other) = generate().expect("a key");
        let tokens = Verifier::default();
        let token = sign(&claims(), &key).expect("a token");
        let verify = |public: &[u8], scope, now| {
            let read = tokens.verify(&token, &access(&key.id, public), scope, Timestamp::from_millis(now));
            read.map(|claims| claims.sub.clone())
        };
        let client = Ok("client".to_owned());
        assert_eq!(verify(&public, Scope::ClientEvents, NOW), client);
        assert_eq!(verify(&public, Scope::ClientEvents, NOW + 899_999), client);
        assert_eq!(verify(&public, Scope::ClientEvents, NOW + 900_000), Err(Denied::Expired));
        assert_eq!(verify(&public, Scope::Activities, NOW), Err(Denied::WrongScope));
        assert_eq!(verify(&other, Scope::ClientEvents, NOW), Err(Denied::BadToken));
        let keyless = tokens.verify(&token, &Access::default(), Scope::ClientEvents, Timestamp::from_millis(NOW));
        assert_eq!(keyless.err(), Some(Denied::UnknownKey));
        assert_eq!(verify(&public, Scope::ClientEvents, NOW), client);
    }

    #[test]
    fn a_verifier_remembers_no_more_than_it_is_meant_to() {
        let (key, public) = generate().expect("a key");
        let access = access(&key.id, &public);
        let verifier = Verifier::default();
        for _ in 0..=REMEMBERED.get() {
            let token = sign(&claims(), &key).expect("a token");
            verifier.verify(&token, &access, Scope::ClientEvents, Timestamp::from_millis(NOW)).expect("valid");
        }
        assert_eq!(verifier.0.lock().expect("not poisoned").len(), REMEMBERED.get());
    }
}
