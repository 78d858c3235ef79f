//! E-mail addresses and mobile numbers, of which only keyed digests are stored.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::settings::ChannelMerging;

/// The keyed digest (HMAC-SHA-256) of an address.
///
/// Its text is the pointer's key in the store: `mail#…` or `mob#…`, then the digest in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressDigest {
    kind: &'static str,
    digest: [u8; 32],
}

impl AddressDigest {
    /// Computes the digest of an address of the kind that players are merged by. Returns `None` if they are not merged.
    #[must_use]
    pub fn of(key: &[u8], merging: ChannelMerging, address: &str) -> Option<Self> {
        let kind = match merging {
            ChannelMerging::None => return None,
            ChannelMerging::Mobile => "mob",
            ChannelMerging::Email => "mail",
        };
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        hmac.update(address.as_bytes());
        Some(AddressDigest { kind, digest: hmac.finalize().into_bytes().into() })
    }
}

impl fmt::Display for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#", self.kind)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_key_kind_and_address() {
        let digest = |key: &[u8], merging, address| AddressDigest::of(key, merging, address).map(|it| it.to_string());
        let ada = digest(b"key", ChannelMerging::Email, "ada@example.com").expect("a digest");
        assert!(ada.starts_with("mail#") && ada.len() == 5 + 64, "{ada}");
        assert_eq!(digest(b"key", ChannelMerging::Email, "ada@example.com").as_ref(), Some(&ada));
        assert_ne!(digest(b"other", ChannelMerging::Email, "ada@example.com").as_ref(), Some(&ada));
        assert_ne!(digest(b"key", ChannelMerging::Email, "bob@example.com").as_ref(), Some(&ada));
        let mobile = digest(b"key", ChannelMerging::Mobile, "ada@example.com").expect("a digest");
        assert_eq!(mobile.strip_prefix("mob#"), ada.strip_prefix("mail#"));
        assert_eq!(digest(b"key", ChannelMerging::None, "ada@example.com"), None);
        // RFC 4231, test case 2.
        assert_eq!(
            digest(b"Jefe", ChannelMerging::Mobile, "what do ya want for nothing?").as_deref(),
            Some("mob#5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }
}
