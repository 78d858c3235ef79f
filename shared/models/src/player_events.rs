//! Player events: what customers did on a platform, in the platform's own words.

use std::{borrow::Cow, collections::HashSet, fmt};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    client_event::MAX_TEXT,
    data::{Datum, OpenData, Scalar},
    fault::{FaultKind, Noted},
    ids::{MAX_ID, PlayerId},
    json::{At, Value},
};

/// By which address players are recognised as one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelMerging {
    /// By none: every player is a customer of their own.
    None,
    /// By `mobile`.
    Mobile,
    /// By `email`, compared without case.
    Email,
}

/// The keyed digest of an address: all that is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressDigest {
    kind: &'static str,
    digest: [u8; 32],
}

impl AddressDigest {
    /// Of an address of the kind that players are merged by; none where they aren't.
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

/// As it is stored: `mail#…` or `mob#…`, in hexadecimal.
impl fmt::Display for AddressDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#", self.kind)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One request: what a player did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerEvents {
    /// Who did it.
    pub player_id: PlayerId,
    /// The address by which players are merged, in the form in which addresses are compared; only where they are.
    pub address: Option<String>,
    /// What they did, each name once, in the order sent.
    pub events: Vec<PlayerEvent>,
}

/// One thing that a player did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerEvent {
    /// Its name, trimmed.
    pub name: String,
    /// What is known of it.
    pub metadata: OpenData,
}

impl PlayerEvents {
    /// Parses a request.
    ///
    /// # Errors
    /// Anything wrong.
    pub fn parse(body: At<'_, '_>, merging: ChannelMerging) -> Result<Self, Noted> {
        let body = body.object()?;
        let player_id = body.required("playerUniqueId", PlayerId::parse);
        let address = |name: &str, merged_by: ChannelMerging| {
            let text = |at: At<'_, '_>| {
                let text = at.string_up_to(MAX_TEXT)?;
                if merging == merged_by && text.trim().is_empty() {
                    return Err(at.invalid("must not be blank"));
                }
                Ok(text.trim().to_owned())
            };
            if merging == merged_by { body.required(name, text).map(Some) } else { body.optional(name, text) }
        };
        let mobile = address("mobile", ChannelMerging::Mobile);
        let email = address("email", ChannelMerging::Email);
        let events = body.required("events", parse_events);
        let (mobile, email) = (mobile?, email?);
        Ok(PlayerEvents {
            player_id: player_id?,
            address: match merging {
                ChannelMerging::None => None,
                ChannelMerging::Mobile => mobile,
                ChannelMerging::Email => email.map(|email| email.to_lowercase()),
            },
            events: events?,
        })
    }

    /// The request's canonical form, by which a retry is known: what it is about, and the address's digest.
    #[must_use]
    pub fn to_json(&self, address: Option<&AddressDigest>) -> Value<'_> {
        let text = |text: String| Value::String(Cow::Owned(text));
        let mut members = vec![(Cow::Borrowed("events"), self.events_to_json())];
        members.extend(address.map(|address| (Cow::Borrowed("address"), text(address.to_string()))));
        Value::Object(members)
    }

    /// The events as they were sent, for the record: name → metadata.
    #[must_use]
    pub fn events_to_json(&self) -> Value<'_> {
        let events = self.events.iter().map(|event| {
            let metadata = event.metadata.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value.to_json()));
            (Cow::Borrowed(event.name.as_str()), Value::Object(metadata.collect()))
        });
        Value::Object(events.collect())
    }
}

fn parse_events(at: At<'_, '_>) -> Result<Vec<PlayerEvent>, Noted> {
    let mut names = HashSet::new();
    at.object()?.each(|sent_as, metadata| {
        let name = sent_as.trim();
        let fits = !name.is_empty() && !name.contains('\0') && name.chars().nth(MAX_ID).is_none();
        let unique = names.insert(name);
        let parsed = match metadata.value {
            Value::Null => Ok(OpenData::new()),
            _ => parse_metadata(metadata),
        };
        if !fits {
            return Err(metadata.invalid("must have a name of 1 to 128 characters"));
        }
        if !unique {
            return Err(metadata.fault(FaultKind::Repeated, "is there more than once, but for the blanks around it"));
        }
        Ok(PlayerEvent { name: name.to_owned(), metadata: parsed? })
    })
}

fn parse_metadata(at: At<'_, '_>) -> Result<OpenData, Noted> {
    at.object()?.each(|key, value| {
        if key.len() > MAX_TEXT {
            return Err(value.invalid(format!("must have a key of at most {MAX_TEXT} bytes of UTF-8")));
        }
        let datum = match value.value {
            Value::Array(_) => Datum::Many(value.items(0..=usize::MAX, parse_scalar)?),
            _ => Datum::One(parse_scalar(value)?),
        };
        Ok((key.to_owned(), datum))
    })
}

fn parse_scalar(at: At<'_, '_>) -> Result<Scalar, Noted> {
    match at.value {
        Value::Bool(_) | Value::Number(_) => Scalar::parse(at),
        Value::String(_) => at.string_up_to(MAX_TEXT).map(|text| Scalar::String(text.to_owned())),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(at.invalid("must be a number, a string, a boolean or an array of those"))
        }
    }
}
