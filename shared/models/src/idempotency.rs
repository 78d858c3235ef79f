//! Idempotency keys, for safe retries of requests without an id (draft-ietf-httpapi-idempotency-key-header).

use std::{error::Error, fmt, ops::Deref, str::FromStr};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    ids::{ActivityId, CorrelationId, MAX_ID},
    json::Value,
};

/// The value of an `Idempotency-Key` header: 1 to 128 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text that is not a valid `Idempotency-Key`. Displayed as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidIdempotencyKey;

impl fmt::Display for InvalidIdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The Idempotency-Key must have 1 to {MAX_ID} printable ASCII characters")
    }
}

impl Error for InvalidIdempotencyKey {}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let fits = (1..=MAX_ID).contains(&text.len()) && printable;
        if fits { Ok(IdempotencyKey(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }
}

impl IdempotencyKey {
    /// Derives the id of the activity that is created under this key: always the same one for a correlation id, and
    /// another one for every other correlation id.
    #[must_use]
    pub fn activity_id(&self, correlation_id: &CorrelationId) -> ActivityId {
        /// A random namespace, used for nothing else.
        const NAMESPACE: Uuid = Uuid::from_u128(0x5d0f_4c57_2b0e_4a6e_9a3c_7b1d_5f68_e2a4);
        // A correlation id has no NUL, so no two pairs have the same text.
        Uuid::new_v5(&NAMESPACE, format!("{correlation_id}\0{}", self.0).as_bytes()).into()
    }
}

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of a validated request's canonical form, which distinguishes a retry from a different request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDigest([u8; 32]);

impl PayloadDigest {
    /// Computes the digest of a canonical form.
    #[must_use]
    pub fn of(canonical: &Value<'_>) -> Self {
        PayloadDigest(Sha256::digest(canonical.to_string()).into())
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_printable_ascii() {
        for text in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", " ~", &"x".repeat(128)] {
            assert_eq!(text.parse::<IdempotencyKey>().as_deref(), Ok(text));
        }
        for text in ["", "é", "a\tb", "a\u{7f}", &"x".repeat(129)] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidIdempotencyKey), "{text}");
        }
    }

    #[test]
    fn a_key_stands_for_one_activity_of_one_correlation_id() {
        let id = |key: &str, correlation_id: &str| {
            let key: IdempotencyKey = key.parse().expect("a key");
            key.activity_id(&correlation_id.parse().expect("an id"))
        };
        assert_eq!(id("k", "c"), id("k", "c"));
        assert_ne!(id("k", "c"), id("k2", "c"));
        assert_ne!(id("k", "c"), id("k", "c2"));
    }
}
