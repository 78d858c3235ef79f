//! Who may call: API clients, API keys and the keys that tokens are verified with.

use std::{collections::HashMap, fmt};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::ids::ClientId;

/// The SHA-256 of a secret: what is stored of it. Compared in constant time.
#[derive(Clone, Copy, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equality is the derived one in meaning; only its time is constant"
)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of a secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        SecretDigest(Sha256::digest(secret.as_bytes()).into())
    }

    /// A digest as it was stored.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(SecretDigest)
    }

    /// The bytes to store.
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

/// In hexadecimal.
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

/// An API that a client may call, or a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Client events.
    ClientEvents,
    /// Activities, sessions and balances.
    Activities,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 2] = [Scope::ClientEvents, Scope::Activities];

    /// Its name, in tokens and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::ClientEvents => "client-events",
            Scope::Activities => "activities",
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A program that proves itself by id and secret.
#[derive(Debug, Clone)]
pub struct Client {
    /// Of its secret.
    pub secret: SecretDigest,
    /// What it may call.
    pub scopes: Vec<Scope>,
    /// Whether it may no longer.
    pub revoked: bool,
}

/// A key that is itself the proof.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// What people call it.
    pub name: String,
    /// Whether it no longer counts.
    pub revoked: bool,
}

/// An Ed25519 public key: 32 bytes.
pub type PublicKey = [u8; 32];

/// A token's private key. Its text never reaches a log.
#[derive(Clone)]
pub struct SigningKey {
    /// Names the public key that verifies.
    pub id: String,
    /// The Ed25519 key pair as PKCS#8.
    pub pkcs8: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everyone who may call, or once might.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The API clients.
    pub clients: HashMap<ClientId, Client>,
    /// The API keys, by their digest. Finding one takes no constant time, and need not: what that tells is of the digest,
    /// from which nobody gets a key.
    pub api_keys: HashMap<SecretDigest, ApiKey>,
    /// The public keys, by key id.
    pub public_keys: HashMap<String, PublicKey>,
}

/// Why a caller is not let in. The caller is told only that it isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No credential at all.
    Missing,
    /// Something, but not a credential of this API.
    Malformed,
    /// No client or API key of this name is known. It may be new.
    UnknownCaller,
    /// No key of this id is known. It may be new.
    UnknownKey,
    /// The client is known, its secret is another. To whoever waits for the answer it is as an unknown one is.
    WrongSecret,
    /// The signature or a claim of the token doesn't hold.
    BadToken,
    /// The token was good once.
    Expired,
    /// The token or client is for another API.
    WrongScope,
    /// The token is for another customer.
    OtherCustomer,
    /// The client or API key was revoked.
    Revoked,
}

impl Denied {
    /// Whether a newer catalog could know better.
    #[must_use]
    pub fn may_be_new(self) -> bool {
        match self {
            // A wrong secret asks too: an answer that came sooner would tell that the client is there.
            Denied::UnknownCaller | Denied::WrongSecret | Denied::UnknownKey => true,
            Denied::Missing
            | Denied::Malformed
            | Denied::BadToken
            | Denied::Expired
            | Denied::WrongScope
            | Denied::OtherCustomer
            | Denied::Revoked => false,
        }
    }
}

impl Access {
    /// The client, if the secret is its own and it may call `scope`.
    ///
    /// # Errors
    /// Why it may not.
    pub fn client(&self, id: &ClientId, secret: &str, scope: Scope) -> Result<(), Denied> {
        // Before the client is looked for, so that an unknown one takes as long.
        let sent = SecretDigest::of(secret);
        let client = self.clients.get(id).ok_or(Denied::UnknownCaller)?;
        if client.secret != sent {
            return Err(Denied::WrongSecret);
        }
        self.still_allowed(id, scope)
    }

    /// Whether a client that has proved itself before may call `scope` still.
    ///
    /// # Errors
    /// Why it may not.
    pub fn still_allowed(&self, id: &ClientId, scope: Scope) -> Result<(), Denied> {
        match self.clients.get(id) {
            None => Err(Denied::UnknownCaller),
            Some(client) if client.revoked => Err(Denied::Revoked),
            Some(client) if !client.scopes.contains(&scope) => Err(Denied::WrongScope),
            Some(_) => Ok(()),
        }
    }

    /// The holder of an API key.
    ///
    /// # Errors
    /// Why it counts no more, or never did.
    pub fn api_key(&self, key: &str) -> Result<&ApiKey, Denied> {
        match self.api_keys.get(&SecretDigest::of(key)) {
            None => Err(Denied::UnknownCaller),
            Some(holder) if holder.revoked => Err(Denied::Revoked),
            Some(holder) => Ok(holder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_its_own_secret_the_scope_and_not_to_be_revoked() {
        let id = |text: &str| ClientId::new(text).expect("an id");
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
}
