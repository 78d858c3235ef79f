//! Encryption of files: AES-256-GCM under one key, with a random nonce for each file.

use std::fmt;

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};

/// Length of the key.
pub const KEY_BYTES: usize = 32;

/// Start of every sealed file: the format and its version.
const MAGIC: &[u8] = b"PCQ1";

/// A file that is not sealed with the key, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was changed, or encrypted with the key of another store")]
pub struct Unopened;

/// The system's random number generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub(crate) struct NoRandomness;

/// Seals and opens files.
pub(crate) struct Seal(Box<LessSafeKey>);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Creates a seal with a key, or returns `None` if its length is wrong.
    pub fn new(key: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Seal(Box::new(LessSafeKey::new(key))))
    }

    /// Encrypts a text. `name` is authenticated with it, so that a file cannot take the place of another.
    pub fn seal(&self, name: &str, text: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| NoRandomness)?;
        let mut sealed = text.to_vec();
        // Fails only for texts of many gigabytes.
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .map_err(|_| NoRandomness)?;
        Ok([MAGIC, &nonce, &sealed, tag.as_ref()].concat())
    }

    /// Decrypts a file.
    pub fn open(&self, name: &str, file: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (nonce, sealed) =
            file.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(NONCE_LEN)).ok_or(Unopened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?;
        let mut text = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(name), &mut text).map_err(|_| Unopened)?;
        let length = opened.len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_name_open_a_file_that_was_not_changed() {
        let seal = Seal::new(&[7; KEY_BYTES]).expect("a key");
        let sealed = seal.seal("name", b"a request").expect("sealed");
        assert!(!sealed.windows(7).any(|window| window == b"request"));
        assert_ne!(sealed, seal.seal("name", b"a request").expect("sealed"), "another nonce each time");
        assert_eq!(seal.open("name", &sealed).as_deref(), Ok(&b"a request"[..]));
        assert_eq!(seal.open("other", &sealed), Err(Unopened));
        assert_eq!(Seal::new(&[8; KEY_BYTES]).expect("a key").open("name", &sealed), Err(Unopened));
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(seal.open("name", &changed), Err(Unopened), "byte {place}");
            assert_eq!(seal.open("name", &sealed[..place]), Err(Unopened), "{place} bytes");
        }
        assert!(Seal::new(&[7; 31]).is_none());
    }
}
