//! Identifiers: validation and normalisation.

use std::{error::Error, fmt, ops::Deref, str::FromStr};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{fault::Noted, json::At};

/// Maximum length of an id in characters.
pub const MAX_ID: usize = 128;

/// Describes valid ids of a path; the predicate of a sentence.
pub const PATH_ID_RULE: &str = "must be 1 to 128 of A-Z a-z 0-9 . _ : -";

/// A text that is not a valid id. Displayed as the predicate of a sentence whose subject is the id's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidId {
    /// Not a valid opaque id: blank, too long, or contains a NUL.
    Opaque,
    /// Not a valid id of a path: empty, too long, or with other characters.
    Path,
    /// Not a GUID with hyphens.
    Guid,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidId::Opaque => "must have 1 to 128 characters, not only blanks, and no NUL",
            InvalidId::Path => PATH_ID_RULE,
            InvalidId::Guid => "must be a GUID: 8-4-4-4-12 hexadecimal digits",
        })
    }
}

impl Error for InvalidId {}

fn opaque(text: &str) -> Result<String, InvalidId> {
    let fits = !text.trim().is_empty() && !text.contains('\0') && text.chars().nth(MAX_ID).is_none();
    if fits { Ok(text.to_owned()) } else { Err(InvalidId::Opaque) }
}

/// Parses a member that is an opaque id, for kinds of ids that have no Rust type.
///
/// # Errors
/// Not a string, blank, longer than [`MAX_ID`], or contains a NUL.
pub fn parse_id(at: At<'_, '_>) -> Result<String, Noted> {
    opaque(at.string()?).map_err(|invalid| at.invalid(invalid.to_string()))
}

/// Parses a member that is an id.
///
/// # Errors
/// Not a string, or not a valid id.
pub fn parse_member<T: FromStr<Err = InvalidId>>(at: At<'_, '_>) -> Result<T, Noted> {
    at.string()?.parse().map_err(|invalid: InvalidId| at.invalid(invalid.to_string()))
}

/// Defines a string id type and the function that validates and normalises it.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident: $validate:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                $validate(text).map($name)
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A customer of the institution, as named by `x-source-customer-id`. Opaque: never changed.
    CustomerId: opaque
}
text_id! {
    /// An API client: a program that has credentials.
    ClientId: opaque
}
text_id! {
    /// A player, as named by `playerUniqueId`. Opaque: never changed.
    PlayerId: opaque
}
text_id! {
    /// An order, as a shop names it. Opaque: never changed.
    OrderId: opaque
}
text_id! {
    /// A refund, as a shop names it. Opaque: never changed.
    RefundId: opaque
}
text_id! {
    /// An account that a session names. Opaque: never changed.
    AccountId: opaque
}
text_id! {
    /// A loyalty id, assigned to an account on enrolment.
    LoyaltyId: opaque
}
text_id! {
    /// An activity, unique in the whole system: 1 to 128 of `[A-Za-z0-9._:-]`, a GUID in lower case.
    ActivityId: path_id
}
text_id! {
    /// The id that ties activities to an account: 1 to 128 of `[A-Za-z0-9._:-]`, a GUID in lower case.
    CorrelationId: path_id
}

/// Derives a number from a text id, for vendors' clients that expect one: positive, and exact in a double.
#[must_use]
pub fn number_of(id: &str) -> u64 {
    const DOUBLE_BITS: u32 = 53;
    let first = Sha256::digest(id).iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
    (first >> (u64::BITS - DOUBLE_BITS)).max(1)
}

/// Validates an id of a path. GUIDs are compared without case, so they become lower case.
fn path_id(text: &str) -> Result<String, InvalidId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed);
    if fits { Ok(guid(text).map_or_else(|| text.to_owned(), |guid| guid.to_string())) } else { Err(InvalidId::Path) }
}

impl From<Uuid> for ActivityId {
    fn from(guid: Uuid) -> Self {
        ActivityId(guid.to_string())
    }
}

/// A client event: a GUID, compared without case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientEventId(Uuid);

impl FromStr for ClientEventId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        guid(text).map(ClientEventId).ok_or(InvalidId::Guid)
    }
}

impl fmt::Display for ClientEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Parses a GUID with hyphens, the vendors' form. The library alone would also accept braces and URNs.
#[must_use]
pub fn guid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_compared_without_case() {
        let lower = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
        let upper = lower.to_uppercase();
        assert_eq!(upper.parse().map(|id: ClientEventId| id.to_string()).as_deref(), Ok(lower));
        assert_eq!(upper.parse().map(|id: ActivityId| id.to_string()).as_deref(), Ok(lower));
        assert_eq!(upper.parse().map(|id: CorrelationId| id.to_string()).as_deref(), Ok(lower));
    }

    #[test]
    fn a_guid_has_hyphens_and_nothing_around_it() {
        for text in [
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}",
            "urn:uuid:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg",
            "0a1b2c3-d4e5f-6071-8293-a4b5c6d7e8f9",
            " a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "",
        ] {
            assert_eq!(text.parse::<ClientEventId>(), Err(InvalidId::Guid), "{text}");
        }
    }

    #[test]
    fn an_opaque_id_is_never_changed() {
        assert_eq!(" Ünïque ".parse::<CustomerId>().as_deref(), Ok(" Ünïque "));
        assert!("é".repeat(128).parse::<CustomerId>().is_ok());
        for text in ["", "   ", "a\0b", &"é".repeat(129)] {
            assert_eq!(text.parse::<CustomerId>(), Err(InvalidId::Opaque), "{text:?}");
        }
    }

    #[test]
    fn the_number_of_an_id_is_stable_positive_and_exact_in_a_double() {
        // The first 53 bits of the SHA-256 of "abc" (FIPS 180-2, B.1).
        assert_eq!(number_of("abc"), 0xba78_16bf_8f01_cfea >> 11);
        for id in ["", "p", "P", " p", "é"] {
            assert!((1..1 << 53).contains(&number_of(id)), "{id}");
        }
        assert_ne!(number_of("p"), number_of("P"));
    }

    #[test]
    fn an_id_of_a_path_keeps_its_case_unless_it_is_a_guid() {
        assert_eq!("Order.17:A_b-c".parse::<ActivityId>().as_deref(), Ok("Order.17:A_b-c"));
        assert!("x".repeat(128).parse::<ActivityId>().is_ok());
        for text in ["", "a b", "a/b", "ä", "a%20b", &"x".repeat(129)] {
            assert_eq!(text.parse::<ActivityId>(), Err(InvalidId::Path), "{text}");
        }
    }
}
