//! Access tokens: JWTs signed with Ed25519. A token is issued to one client for one API, and client-event tokens for
//! one customer.

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

/// The claims of a token. All are required except `cid`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The API that the token is valid for.
    pub aud: String,
    /// The client.
    pub sub: String,
    /// The customer that the token is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    /// Issue time, in seconds since the Unix epoch.
    pub iat: i64,
    /// Expiry time, in seconds since the Unix epoch.
    pub exp: i64,
    /// Unique id of the token.
    pub jti: Uuid,
}

impl Claims {
    /// Creates the claims of a token that is valid from `now` on.
    #[must_use]
    pub fn new(scope: Scope, client: &str, customer: Option<&str>, now: Timestamp, valid: Duration) -> Self {
        let iat = now.as_millis().div_euclid(1000);
        Claims {
            iss: ISSUER.to_owned(),
            aud: scope.as_str().to_owned(),
            sub: client.to_owned(),
            cid: customer.map(str::to_owned),
            iat,
            exp: iat.saturating_add_unsigned(valid.as_secs()),
            jti: Uuid::new_v4(),
        }
    }
}

/// A signing key could not be generated or used.
#[derive(Debug, thiserror::Error)]
#[error("signing key error: {0}")]
pub struct UnusableKey(&'static str);

/// Signs a token.
///
/// # Errors
/// The key is not an Ed25519 key pair.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<String, UnusableKey> {
    install_ring();
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&key.pkcs8))
        .map_err(|_| UnusableKey("not an Ed25519 key pair in PKCS#8"))
}

/// The number of tokens that a [`Verifier`] caches.
const CACHED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Verifies tokens and caches verified signatures: clients reuse a token for many requests, and verifying a signature
/// takes as much CPU time as the rest of a request.
#[derive(Debug)]
pub struct Verifier(Mutex<LruCache<SecretDigest, Verified>>);

/// A token with a verified signature, and the key that verified it.
#[derive(Debug, Clone)]
struct Verified {
    claims: Arc<Claims>,
    key_id: String,
    key: PublicKey,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier(Mutex::new(LruCache::new(CACHED)))
    }
}

impl Verifier {
    /// Verifies a token for `scope`. Only signature verification is cached: key revocation and claims are checked on
    /// every call.
    ///
    /// # Errors
    /// The reason why the token is not valid.
    pub fn verify(&self, token: &str, access: &Access, scope: Scope, now: Timestamp) -> Result<Arc<Claims>, Denied> {
        let digest = SecretDigest::of(token);
        let cache = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache().get(&digest).filter(|token| token.has_known_key(access)).cloned();
        let claims = if let Some(token) = cached {
            token.claims
        } else {
            let token = verify_signature(token, access)?;
            let claims = token.claims.clone();
            cache().put(digest, token);
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
    fn has_known_key(&self, access: &Access) -> bool {
        access.public_keys.get(&self.key_id) == Some(&self.key)
    }
}

/// Verifies the signature of a token, but not its claims.
fn verify_signature(token: &str, access: &Access) -> Result<Verified, Denied> {
    install_ring();
    let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Malformed)?;
    let key_id = header.kid.ok_or(Denied::Malformed)?;
    let key = *access.public_keys.get(&key_id).ok_or(Denied::UnknownKey)?;
    // The caller checks the claims, because the library would read the system clock.
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let token = jsonwebtoken::decode(token, &DecodingKey::from_ed_der(&key), &rules).map_err(|_| Denied::BadToken)?;
    Ok(Verified { claims: Arc::new(token.claims), key_id, key })
}

/// Generates a signing key pair, and returns it with its public key.
///
/// # Errors
/// The system random number generator failed.
pub fn generate() -> Result<(SigningKey, Vec<u8>), UnusableKey> {
    let random = ring::rand::SystemRandom::new();
    let pkcs8 =
        Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| UnusableKey("the random number generator failed"))?;
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| UnusableKey("the generated key is not valid"))?;
    let public = pair.public_key().as_ref().to_vec();
    Ok((SigningKey { id: Uuid::now_v7().to_string(), pkcs8: pkcs8.as_ref().to_vec() }, public))
}

/// Ed25519 implemented by ring, which TLS uses too. No other algorithm is accepted.
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
    // Fails only if this provider is already installed.
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
    const VALID: Duration = Duration::from_mins(15);

    fn claims() -> Claims {
        Claims::new(Scope::ClientEvents, "client", Some("customer"), Timestamp::from_millis(NOW), VALID)
    }

    fn access(id: &str, public: &[u8]) -> Access {
        let public = public.try_into().expect("32 bytes");
        Access { public_keys: [(id.to_owned(), public)].into(), ..Access::default() }
    }

    fn verify(token: &str, access: &Access, scope: Scope) -> Result<Arc<Claims>, Denied> {
        Verifier::default().verify(token, access, scope, Timestamp::from_millis(NOW))
    }

    #[test]
    fn a_token_is_valid_for_its_own_api_only() {
        let (key, public) = generate().expect("a key");
        let access = access(&key.id, &public);
        let token = sign(&claims(), &key).expect("a token");
        let read = verify(&token, &access, Scope::ClientEvents).expect("valid");
        assert_eq!((read.sub.as_str(), read.cid.as_deref()), ("client", Some("customer")));
        assert_eq!(verify(&token, &access, Scope::Activities).err(), Some(Denied::WrongScope));
    }

    #[test]
    fn a_token_that_is_foreign_expired_or_incomplete_is_refused() {
        let (key, public) = generate().expect("a key");
        let (other, _) = generate().expect("a key");
        let access = access(&key.id, &public);
        let denied = |token: &str| verify(token, &access, Scope::ClientEvents).err();

        let forged = SigningKey { id: key.id.clone(), ..other.clone() };
        assert_eq!(denied(&sign(&claims(), &forged).expect("a token")), Some(Denied::BadToken));
        assert_eq!(denied(&sign(&claims(), &other).expect("a token")), Some(Denied::UnknownKey));

        let old = Claims::new(Scope::ClientEvents, "client", None, Timestamp::from_millis(NOW - 900_000), VALID);
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
    fn a_cached_token_is_checked_like_a_new_one() {
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
    fn the_cache_of_a_verifier_is_bounded() {
        let (key, public) = generate().expect("a key");
        let access = access(&key.id, &public);
        let verifier = Verifier::default();
        for _ in 0..=CACHED.get() {
            let token = sign(&claims(), &key).expect("a token");
            verifier.verify(&token, &access, Scope::ClientEvents, Timestamp::from_millis(NOW)).expect("valid");
        }
        assert_eq!(verifier.0.lock().expect("not poisoned").len(), CACHED.get());
    }
}
