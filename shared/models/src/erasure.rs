//! Erased persons, of whose ids only keyed digests remain.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const PREFIX: &str = "erased#";
const DIGEST_BYTES: usize = 32;
/// The block size of SHA-256, to which HMAC fills up shorter keys with zeros.
const BLOCK_BYTES: usize = 64;

/// The key of all digests of a store. Made by its first erasure and never changed: an id that is sent again is
/// recognised by its digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErasureKey([u8; DIGEST_BYTES]);

impl ErasureKey {
    /// Restores a key from the store.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(ErasureKey)
    }

    /// Computes the digest (HMAC-SHA-256) of an id.
    #[must_use]
    pub fn digest(&self, kind: IdKind, id: &str) -> ErasedId {
        let mut block = [0; BLOCK_BYTES];
        block[..DIGEST_BYTES].copy_from_slice(&self.0);
        let mut hmac = Hmac::<Sha256>::new(&block.into());
        for part in [kind.name(), "\0", id] {
            hmac.update(part.as_bytes());
        }
        ErasedId(hmac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKey(…)")
    }
}

/// The kind of an id. Ids of two kinds have different digests, even if their texts are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// The key of a member, such as `acct#A-1001`.
    Member,
    /// An activity or a correction.
    Activity,
    /// A request of a player.
    PlayerRequest,
    /// A customer of client events.
    Customer,
    /// A client event.
    ClientEvent,
}

impl IdKind {
    fn name(self) -> &'static str {
        match self {
            IdKind::Member => "member",
            IdKind::Activity => "activity",
            IdKind::PlayerRequest => "player request",
            IdKind::Customer => "customer",
            IdKind::ClientEvent => "client event",
        }
    }
}

/// The digest of an erased id. Its text is `erased#` and the digest in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErasedId([u8; DIGEST_BYTES]);

impl fmt::Display for ErasedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Text that is not the digest of an erased id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidErasedId;

impl fmt::Display for InvalidErasedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {PREFIX} and {} hexadecimal digits in lower case", 2 * DIGEST_BYTES)
    }
}

impl std::error::Error for InvalidErasedId {}

impl FromStr for ErasedId {
    type Err = InvalidErasedId;

    fn from_str(text: &str) -> Result<Self, InvalidErasedId> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidErasedId)?.as_bytes();
        let mut digest = [0; DIGEST_BYTES];
        if digits.len() != 2 * DIGEST_BYTES {
            return Err(InvalidErasedId);
        }
        for (byte, digits) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(digits[0])? << 4) | digit(digits[1])?;
        }
        Ok(ErasedId(digest))
    }
}

fn digit(byte: u8) -> Result<u8, InvalidErasedId> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidErasedId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ErasureKey {
        ErasureKey::stored(&[byte; DIGEST_BYTES]).expect("a key")
    }

    #[test]
    fn a_digest_is_the_hmac_of_the_kind_and_the_id() {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&[7; DIGEST_BYTES]).expect("a key");
        hmac.update(b"member\0acct#A-1001");
        let expected: [u8; DIGEST_BYTES] = hmac.finalize().into_bytes().into();
        assert_eq!(key(7).digest(IdKind::Member, "acct#A-1001"), ErasedId(expected));
    }

    #[test]
    fn a_digest_depends_on_key_kind_and_id() {
        let digest = key(7).digest(IdKind::Member, "a");
        assert_ne!(key(8).digest(IdKind::Member, "a"), digest);
        assert_ne!(key(7).digest(IdKind::Customer, "a"), digest);
        assert_ne!(key(7).digest(IdKind::Member, "b"), digest);
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let text = key(7).digest(IdKind::Activity, "a-1").to_string();
        assert_eq!(text.parse::<ErasedId>().map(|id| id.to_string()).as_ref(), Ok(&text));
        for invalid in [&text[1..], &text[..70], &text.to_uppercase(), &text.replace("erased#", "erased#00"), ""] {
            assert_eq!(invalid.parse::<ErasedId>(), Err(InvalidErasedId), "{invalid}");
        }
    }

    #[test]
    fn a_key_is_hidden_and_has_256_bits() {
        assert_eq!(format!("{:?}", key(7)), "ErasureKey(…)");
        assert_eq!(ErasureKey::stored(&[7; 31]), None);
    }
}
