//! API clients, API keys and the keys that tokens are verified with.

use std::{collections::HashMap, error::Error, fmt};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::ids::ClientId;

/// The SHA-256 of a secret. Only the digest is stored, and it is compared in constant time.
#[derive(Clone, Copy, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "equal to the derived equality, but in constant time")]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Computes the digest of a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        SecretDigest(Sha256::digest(secret.as_bytes()).into())
    }

    /// Restores a digest from the store.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(SecretDigest)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretDigest {}

/// Hexadecimal.
impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// An API that a client may call or a token is issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Client events.
    ClientEvents,
    /// Activities, sessions and balances.
    Activities,
    /// Reversals and adjustments, in addition to [`Scope::Activities`].
    Corrections,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::ClientEvents, Scope::Activities, Scope::Corrections];

    /// Returns the API whose tokens are accepted. Corrections are a permission of clients of the activities' API.
    #[must_use]
    pub fn api(self) -> Self {
        match self {
            Scope::Corrections => Scope::Activities,
            Scope::ClientEvents | Scope::Activities => self,
        }
    }

    /// Returns the name, which tokens and the store use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::ClientEvents => "client-events",
            Scope::Activities => "activities",
            Scope::Corrections => "corrections",
        }
    }

    /// Returns the scope with this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A program that authenticates with an id and a secret.
#[derive(Debug, Clone)]
pub struct Client {
    /// The digest of its secret.
    pub secret: SecretDigest,
    /// The APIs that it may call.
    pub scopes: Vec<Scope>,
    /// True once it is revoked.
    pub revoked: bool,
}

/// A key that authenticates its bearer.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The operator's name for it.
    pub name: String,
    /// The digest of its secret key, which corrections need in addition. Keys of version 0.1.0 have none.
    pub secret: Option<SecretDigest>,
    /// True once it is revoked.
    pub revoked: bool,
}

/// An Ed25519 public key: 32 bytes.
pub type PublicKey = [u8; 32];

/// A private key for signing tokens. `Debug` leaves the key itself out.
#[derive(Clone)]
pub struct SigningKey {
    /// The id, which is also the public key's.
    pub id: String,
    /// The Ed25519 key pair as PKCS#8.
    pub pkcs8: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// All API clients, API keys and public keys, revoked ones included.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The API clients.
    pub clients: HashMap<ClientId, Client>,
    /// The API keys by digest. The lookup need not take constant time: its timing depends on the digest, from which the
    /// key cannot be derived.
    pub api_keys: HashMap<SecretDigest, ApiKey>,
    /// The public keys by key id.
    pub public_keys: HashMap<String, PublicKey>,
}

/// The reason why authentication failed.
///
/// It has no text of the request, so it is safe to log. Responses must not reveal more than the dialect does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The request has no credential.
    Missing,
    /// The credential does not have the form that this API expects.
    Malformed,
    /// The header of the credential is not valid UTF-8.
    NotUtf8,
    /// The client or API key is unknown. It may be new.
    UnknownCaller,
    /// The token's key id is unknown. The key may be new.
    UnknownKey,
    /// The client is known, but the secret is wrong. The response and its timing equal those of an unknown client.
    WrongSecret,
    /// The token's signature or one of its claims is wrong.
    BadToken,
    /// The token has expired.
    Expired,
    /// The token or client is not allowed to call this API.
    WrongScope,
    /// The token was issued for another customer.
    OtherCustomer,
    /// The client or API key is revoked.
    Revoked,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denied::Missing => "no credential",
            Denied::Malformed => "malformed credential",
            Denied::NotUtf8 => "credential is not valid UTF-8",
            Denied::UnknownCaller => "unknown client or API key",
            Denied::UnknownKey => "unknown signing key",
            Denied::WrongSecret => "wrong secret",
            Denied::BadToken => "token does not verify",
            Denied::Expired => "token has expired",
            Denied::WrongScope => "not allowed for this API",
            Denied::OtherCustomer => "token of another customer",
            Denied::Revoked => "revoked",
        })
    }
}

impl Error for Denied {}

impl Denied {
    /// Returns true if a newer version of the catalog could allow the request.
    #[must_use]
    pub fn may_be_new(self) -> bool {
        match self {
            // A wrong secret is included: a faster response would reveal that the client exists.
            Denied::UnknownCaller | Denied::WrongSecret | Denied::UnknownKey => true,
            Denied::Missing
            | Denied::Malformed
            | Denied::NotUtf8
            | Denied::BadToken
            | Denied::Expired
            | Denied::WrongScope
            | Denied::OtherCustomer
            | Denied::Revoked => false,
        }
    }
}

impl Access {
    /// Authenticates a client and checks that it may call `scope`.
    ///
    /// # Errors
    /// The client is unknown, revoked or not allowed, or the secret is wrong.
    pub fn client(&self, id: &ClientId, secret: &str, scope: Scope) -> Result<(), Denied> {
        // Computed before the lookup, so that an unknown client takes as long.
        let sent = SecretDigest::of(secret);
        let client = self.clients.get(id).ok_or(Denied::UnknownCaller)?;
        if client.secret != sent {
            return Err(Denied::WrongSecret);
        }
        self.still_allowed(id, scope)
    }

    /// Checks that a client, authenticated before, may still call `scope`.
    ///
    /// # Errors
    /// The client is unknown, revoked or not allowed.
    pub fn still_allowed(&self, id: &ClientId, scope: Scope) -> Result<(), Denied> {
        match self.clients.get(id) {
            None => Err(Denied::UnknownCaller),
            Some(client) if client.revoked => Err(Denied::Revoked),
            Some(client) if !client.scopes.contains(&scope) => Err(Denied::WrongScope),
            Some(_) => Ok(()),
        }
    }

    /// Authenticates an API key.
    ///
    /// # Errors
    /// The key is unknown or revoked.
    pub fn api_key(&self, key: &str) -> Result<&ApiKey, Denied> {
        match self.api_keys.get(&SecretDigest::of(key)) {
            None => Err(Denied::UnknownCaller),
            Some(holder) if holder.revoked => Err(Denied::Revoked),
            Some(holder) => Ok(holder),
        }
    }

    /// Authenticates an API key with its secret.
    ///
    /// # Errors
    /// The key is unknown or revoked, or its secret is wrong or does not exist.
    pub fn secret_key(&self, key: &str, secret: &str) -> Result<&ApiKey, Denied> {
        // Computed before the lookup, so that an unknown key takes as long.
        let sent = SecretDigest::of(secret);
        let holder = self.api_key(key)?;
        match holder.secret {
            None => Err(Denied::WrongScope),
            Some(secret) if secret != sent => Err(Denied::WrongSecret),
            Some(_) => Ok(holder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_its_secret_the_scope_and_not_to_be_revoked() {
        let id = |text: &str| text.parse::<ClientId>().expect("an id");
        let client =
            |revoked| Client { secret: SecretDigest::of("s3cret"), scopes: vec![Scope::ClientEvents], revoked };
        let access =
            Access { clients: [(id("good"), client(false)), (id("gone"), client(true))].into(), ..Access::default() };
        assert_eq!(access.client(&id("good"), "s3cret", Scope::ClientEvents), Ok(()));
        assert_eq!(access.client(&id("good"), "S3cret", Scope::ClientEvents), Err(Denied::WrongSecret));
        assert_eq!(access.client(&id("good"), "s3cret", Scope::Activities), Err(Denied::WrongScope));
        assert_eq!(access.client(&id("gone"), "s3cret", Scope::ClientEvents), Err(Denied::Revoked));
        assert_eq!(access.client(&id("none"), "s3cret", Scope::ClientEvents), Err(Denied::UnknownCaller));
    }

    #[test]
    fn a_secret_belongs_to_one_api_key() {
        let key = |secret: Option<&str>, revoked| ApiKey {
            name: "shop".to_owned(),
            secret: secret.map(SecretDigest::of),
            revoked,
        };
        let keys = [
            ("a", key(Some("s-a"), false)),
            ("b", key(Some("s-b"), false)),
            ("old", key(None, false)),
            ("gone", key(Some("s-gone"), true)),
        ];
        let api_keys = keys.map(|(text, key)| (SecretDigest::of(text), key)).into();
        let access = Access { api_keys, ..Access::default() };
        let check = |key, secret| access.secret_key(key, secret).map(|_| ());
        assert_eq!(check("a", "s-a"), Ok(()));
        assert_eq!(check("a", "s-b"), Err(Denied::WrongSecret));
        assert_eq!(check("a", ""), Err(Denied::WrongSecret));
        assert_eq!(check("a", "a"), Err(Denied::WrongSecret));
        assert_eq!(check("old", "s-a"), Err(Denied::WrongScope));
        assert_eq!(check("gone", "s-gone"), Err(Denied::Revoked));
        assert_eq!(check("none", "s-a"), Err(Denied::UnknownCaller));
    }
}
