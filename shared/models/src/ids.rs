//! Ids: what names a thing, and how alike two spellings may be.

use std::{fmt, ops::Deref};

use uuid::Uuid;

use crate::{fault::Noted, json::At};

/// The longest id, in characters.
pub const MAX_ID: usize = 128;

/// Why a text is no id; the predicate of a sentence.
const ID_RULE: &str = "must have 1 to 128 characters, not only blanks, and no NUL";

fn id(text: &str) -> Option<&str> {
    let fits = !text.trim().is_empty() && !text.contains('\0') && text.chars().nth(MAX_ID).is_none();
    fits.then_some(text)
}

/// Parses a member that is an id: 1 to 128 characters.
///
/// # Errors
/// Not a string, blank, longer, or with a NUL.
pub fn parse_id(at: At<'_, '_>) -> Result<String, Noted> {
    id(at.string()?).map(str::to_owned).ok_or_else(|| at.invalid(ID_RULE))
}

/// What every id is that is a text.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

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

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id! { $(#[$doc])* $name }

        impl $name {
            /// Reads an id, which is never changed.
            ///
            /// # Errors
            /// Blank, longer than 128 characters, or with a NUL: says so as the predicate of a sentence.
            pub fn new(text: &str) -> Result<Self, &'static str> {
                id(text).map(|text| $name(text.to_owned())).ok_or(ID_RULE)
            }

            /// Parses a member.
            ///
            /// # Errors
            /// Not a string, or not an id.
            pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
                parse_id(at).map($name)
            }
        }
    };
}

opaque_id! {
    /// The institution's customer, as `x-source-customer-id` names it.
    CustomerId
}
opaque_id! {
    /// An API client: a program that has credentials.
    ClientId
}
opaque_id! {
    /// A player, as `playerUniqueId` names it.
    PlayerId
}
opaque_id! {
    /// An account that a session names.
    AccountId
}
opaque_id! {
    /// A loyalty id, given to an account when it is enrolled.
    LoyaltyId
}

/// A client event's id: a GUID, compared without case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientEventId(Uuid);

impl ClientEventId {
    /// Reads a GUID: 8-4-4-4-12 with hyphens.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        guid(text).map(ClientEventId)
    }

    /// Parses a member.
    ///
    /// # Errors
    /// Not a string, or not a GUID with hyphens.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        Self::from_text(at.string()?).ok_or_else(|| at.invalid("must be a GUID: 8-4-4-4-12 hexadecimal digits"))
    }
}

impl fmt::Display for ClientEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A GUID with hyphens, which is what the vendors send; `uuid` alone would also take braces and URNs.
#[must_use]
pub fn guid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH)
}

/// Why a text can't stand in a path; the predicate of a sentence.
pub const PATH_ID_RULE: &str = "must be 1 to 128 of A-Z a-z 0-9 . _ : -";

macro_rules! path_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id! {
            $(#[$doc])*
            ///
            /// 1 to 128 of `[A-Za-z0-9._:-]`; a GUID is kept in lower case.
            $name
        }

        impl $name {
            /// Reads an id from a path.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
                let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed);
                fits.then(|| $name(guid(text).map_or_else(|| text.to_owned(), |guid| guid.to_string())))
            }
        }

        impl From<Uuid> for $name {
            fn from(guid: Uuid) -> Self {
                $name(guid.to_string())
            }
        }
    };
}

path_id! {
    /// An activity's id, unique in the whole system.
    ActivityId
}
path_id! {
    /// What ties activities to an account.
    CorrelationId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_one_however_it_is_spelled() {
        let lower = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
        assert_eq!(ClientEventId::from_text(&lower.to_uppercase()).expect("a GUID").to_string(), lower);
        assert_eq!(&*ActivityId::from_text(&lower.to_uppercase()).expect("an id"), lower);
    }

    #[test]
    fn a_guid_has_its_hyphens_and_nothing_around() {
        for text in [
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}",
            "urn:uuid:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg",
            "0a1b2c3-d4e5f-6071-8293-a4b5c6d7e8f9",
            " a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            "",
        ] {
            assert_eq!(ClientEventId::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn an_opaque_id_is_kept_as_it_is() {
        assert_eq!(CustomerId::new(" Ünïque ").as_deref(), Ok(" Ünïque "));
        assert!(CustomerId::new(&"é".repeat(128)).is_ok());
        for text in ["", "   ", "a\0b", &"é".repeat(129)] {
            assert!(CustomerId::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_id_keeps_its_case_unless_it_is_a_guid() {
        assert_eq!(ActivityId::from_text("Order.17:A_b-c").as_deref(), Some("Order.17:A_b-c"));
        for text in ["", "a b", "a/b", "ä", "a%20b", &"x".repeat(129)] {
            assert_eq!(ActivityId::from_text(text), None, "{text}");
        }
    }
}
