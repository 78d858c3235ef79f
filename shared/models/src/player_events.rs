//! Player events: what customers did on a platform, in the platform's own words.

use std::{borrow::Cow, collections::HashSet, fmt};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    data::{Datum, OpenData, Scalar},
    fault::{FaultKind, Noted},
    ids::{MAX_ID, PlayerId},
    json::{At, MAX_TEXT, Value},
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, idempotency::PayloadDigest, json};

    fn parse(body: &str, merging: ChannelMerging) -> Result<PlayerEvents, Vec<String>> {
        let faults = Faults::default();
        let parsed = json::parse(body.as_bytes(), &faults, |body| PlayerEvents::parse(body, merging));
        faults.none_or(parsed).map_err(|faults| {
            faults.into_iter().map(|fault| format!("{:?} {} {}", fault.kind, fault.pointer, fault.message)).collect()
        })
    }

    fn parsed(body: &str) -> PlayerEvents {
        parse(body, ChannelMerging::None).unwrap_or_else(|faults| panic!("{body}: {faults:?}"))
    }

    fn faults(body: &str) -> Vec<String> {
        parse(body, ChannelMerging::None).expect_err(body)
    }

    fn of_events(events: &str) -> String {
        format!(r#"{{"playerUniqueId":"p","events":{events}}}"#)
    }

    #[test]
    fn a_request_is_read_as_it_was_sent() {
        let request = parsed(r#"{"playerUniqueId":" P ","events":{"b":{"n":1.50,"l":["x",true]},"a":null},"more":{}}"#);
        assert_eq!(&*request.player_id, " P ");
        assert_eq!(request.address, None);
        let names: Vec<_> = request.events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(request.events_to_json().to_string(), r#"{"a":{},"b":{"l":["x",true],"n":1.5}}"#);
    }

    #[test]
    fn an_event_name_is_trimmed_and_has_128_characters_at_most() {
        let longest = "é".repeat(128);
        for (sent, name) in
            [(" add to cart ", "add to cart"), ("\u{3000}$購入", "$購入"), (&*format!(" {longest}\\n"), &*longest)]
        {
            assert_eq!(parsed(&of_events(&format!("{{\"{sent}\":{{}}}}"))).events[0].name, name);
        }
        for name in ["", " \\t\\u00a0", "a\\u0000b", &"é".repeat(129)] {
            let found = faults(&of_events(&format!("{{\"{name}\":{{}}}}")));
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].starts_with("Invalid /events/") && found[0].contains("1 to 128"), "{found:?}");
        }
    }

    #[test]
    fn names_that_trim_to_the_same_are_one_name_twice() {
        assert_eq!(
            faults(&of_events(r#"{"a":{},"b":{}," a":{},"b\n":{}}"#)),
            [
                "Repeated /events/ a is there more than once, but for the blanks around it",
                "Repeated /events/b\n is there more than once, but for the blanks around it"
            ]
        );
        assert_eq!(parsed(&of_events(r#"{"a":{},"A":{},"a b":{},"a  b":{}}"#)).events.len(), 4);
    }

    #[test]
    fn metadata_are_numbers_strings_booleans_and_arrays_of_those() {
        for value in ["1", "-1e300", "\"\"", "\"\\u0000\"", "true", "[]", "[1,\"a\",false]"] {
            assert_eq!(parsed(&of_events(&format!(r#"{{"e":{{"k":{value}}}}}"#))).events.len(), 1, "{value}");
        }
        let longest = "x".repeat(MAX_TEXT);
        parsed(&of_events(&format!(r#"{{"e":{{"{longest}":"{longest}"}}}}"#)));
        for (metadata, pointers) in [
            (r#"{"k":null}"#, &["/k"][..]),
            (r#"{"k":{},"l":1,"m":[[1],2,null]}"#, &["/k", "/m/0", "/m/2"]),
            (&format!(r#"{{"k":"{longest}x"}}"#), &["/k"]),
            (&format!(r#"{{"k":["{longest}x"]}}"#), &["/k/0"]),
            ("[]", &[""]),
            ("5", &[""]),
            ("\"x\"", &[""]),
        ] {
            let found = faults(&of_events(&format!(r#"{{"e":{metadata}}}"#)));
            let starts: Vec<_> = pointers.iter().map(|pointer| format!("Invalid /events/e{pointer} must")).collect();
            assert_eq!(found.len(), starts.len(), "{found:?}");
            assert!(found.iter().zip(&starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
        }
    }

    #[test]
    fn every_fault_is_told_not_just_the_first() {
        assert_eq!(
            faults(r#"{"mobile":5,"email":[],"events":{"":{},"e":{"k":null,"l":{}}}}"#)
                .iter()
                .map(|fault| fault.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>(),
            [
                "Missing /playerUniqueId",
                "Invalid /mobile",
                "Invalid /email",
                "Invalid /events/",
                "Invalid /events/e/k",
                "Invalid /events/e/l"
            ]
        );
    }

    #[test]
    fn only_the_address_that_players_are_merged_by_is_kept_and_required() {
        let body = r#"{"playerUniqueId":"p","email":" Ada@Example.COM ","mobile":" +1 A ","events":{}}"#;
        let address = |merging| parse(body, merging).expect("a request").address;
        assert_eq!(address(ChannelMerging::None), None);
        assert_eq!(address(ChannelMerging::Email).as_deref(), Some("ada@example.com"));
        assert_eq!(address(ChannelMerging::Mobile).as_deref(), Some("+1 A"));
        for (merging, name) in [(ChannelMerging::Email, "email"), (ChannelMerging::Mobile, "mobile")] {
            for (members, kind) in [
                (String::new(), "Missing"),
                (format!(r#""{name}":null,"#), "Null"),
                (format!(r#""{name}":" ","#), "Invalid"),
                (format!(r#""{name}":5,"#), "Invalid"),
            ] {
                let body = format!(r#"{{"playerUniqueId":"p",{members}"events":{{}}}}"#);
                let found = parse(&body, merging).expect_err(&body);
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].starts_with(&format!("{kind} /{name} ")), "{found:?}");
            }
        }
        // Where it isn't the one, it may be missing, null or blank.
        for member in ["", r#""email":null,"#, r#""email":" ","#] {
            parsed(&format!(r#"{{"playerUniqueId":"p",{member}"events":{{}}}}"#));
        }
    }

    #[test]
    fn an_address_has_a_digest_of_its_key_and_kind() {
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

    #[test]
    fn a_retry_is_known_by_what_it_means() {
        let payload = |body: &str, email: Option<&str>| {
            let digest = email.and_then(|email| AddressDigest::of(b"key", ChannelMerging::Email, email));
            PayloadDigest::of(&parsed(body).to_json(digest.as_ref()))
        };
        let first = payload(&of_events(r#"{"a":{"n":100,"s":"x"},"b":null}"#), None);
        for same in [r#"{" b":{},"a ":{"s":"\u0078","n":1e2}}"#, r#"{"a":{"n":100.0,"s":"x"},"b":{}}"#] {
            assert_eq!(payload(&of_events(same), None), first, "{same}");
        }
        for other in [
            "{}",
            r#"{"a":{"n":100,"s":"x"}}"#,
            r#"{"a":{"n":"100","s":"x"},"b":{}}"#,
            r#"{"a":{"n":[100],"s":"x"},"b":{}}"#,
            r#"{"A":{"n":100,"s":"x"},"b":{}}"#,
        ] {
            assert_ne!(payload(&of_events(other), None), first, "{other}");
        }
        let body = of_events(r#"{"a":{"n":100,"s":"x"},"b":null}"#);
        assert_ne!(payload(&body, Some("ada@example.com")), first);
        assert_ne!(payload(&body, Some("ada@example.com")), payload(&body, Some("bob@example.com")));
    }
}
