//! Player events: what customers did on a platform. The platform chooses the names.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    address::AddressDigest,
    api_version::ApiVersion,
    data::{self, OpenData},
    fault::{FaultKind, Faults, Noted},
    ids::MAX_ID,
    json::{self, At, Value},
    player::Player,
    settings::ChannelMerging,
};

/// A valid request: one player's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerEvents {
    /// The player.
    pub player: Player,
    /// The events in the order sent. No name appears twice.
    pub events: Vec<PlayerEvent>,
}

/// One event of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerEvent {
    /// The name, trimmed.
    pub name: String,
    /// The metadata.
    pub metadata: OpenData,
}

impl PlayerEvents {
    /// Parses a request.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse(body: At<'_, '_>, version: ApiVersion, merging: ChannelMerging) -> Result<Self, Noted> {
        let body = body.object()?;
        let player = Player::parse(&body, version, merging);
        let events = body.required("events", parse_events);
        Ok(PlayerEvents { player: player?, events: events? })
    }

    /// Returns the request's canonical form, which identifies retries: the events and the digest of the address.
    #[must_use]
    pub fn to_json(&self, address: Option<&AddressDigest>) -> Value<'_> {
        let text = |text: String| Value::String(Cow::Owned(text));
        let mut members = vec![(Cow::Borrowed("events"), self.events_to_json())];
        members.extend(address.map(|address| (Cow::Borrowed("address"), text(address.to_string()))));
        Value::Object(members)
    }

    /// Returns the events as they were sent: name → metadata.
    #[must_use]
    pub fn events_to_json(&self) -> Value<'_> {
        let events = self.events.iter().map(|event| {
            let metadata = event.metadata.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value.to_json()));
            (Cow::Borrowed(event.name.as_str()), Value::Object(metadata.collect()))
        });
        Value::Object(events.collect())
    }
}

impl PlayerEvent {
    /// Reads events from [`PlayerEvents::events_to_json`], or returns `None` if the text is anything else.
    #[must_use]
    pub fn list_from_json(text: &str) -> Option<Vec<Self>> {
        json::parse(text.as_bytes(), &Faults::default(), parse_events).ok()
    }
}

fn parse_events(at: At<'_, '_>) -> Result<Vec<PlayerEvent>, Noted> {
    let mut names = HashSet::new();
    at.object()?.each(|sent_as, metadata| {
        let name = sent_as.trim();
        let fits = !name.is_empty() && !name.contains('\0') && name.chars().nth(MAX_ID).is_none();
        let unique = names.insert(name);
        let parsed = parse_metadata(metadata);
        if !fits {
            return Err(metadata.invalid("must have a name of 1 to 128 characters"));
        }
        if !unique {
            return Err(metadata.fault(FaultKind::Repeated, "appears more than once, apart from surrounding blanks"));
        }
        Ok(PlayerEvent { name: name.to_owned(), metadata: parsed? })
    })
}

fn parse_metadata(at: At<'_, '_>) -> Result<OpenData, Noted> {
    match at.value {
        Value::Null => Ok(OpenData::new()),
        // PHP's empty object.
        Value::Array(items) if items.is_empty() => Ok(OpenData::new()),
        _ => data::parse_object(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Datum, idempotency::PayloadDigest, json::MAX_TEXT};

    fn parse(body: &str, merging: ChannelMerging) -> Result<PlayerEvents, Vec<String>> {
        let faults = Faults::default();
        let parsed = json::parse(body.as_bytes(), &faults, |body| PlayerEvents::parse(body, ApiVersion::V3, merging));
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
    fn a_request_is_parsed_as_it_was_sent() {
        let request = parsed(r#"{"playerUniqueId":" P ","events":{"b":{"n":1.50,"l":["x",true]},"a":null},"more":{}}"#);
        assert_eq!(&*request.player.id, " P ");
        assert_eq!(request.player.address, None);
        let names: Vec<_> = request.events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let stored = request.events_to_json().to_string();
        assert_eq!(stored, r#"{"a":{},"b":{"l":["x",true],"n":1.5}}"#);
        let mut read = PlayerEvent::list_from_json(&stored).expect("events");
        read.sort_by_key(|event| names.iter().position(|name| *name == event.name));
        for event in &mut read {
            event.metadata.sort_by_key(|(key, _)| std::cmp::Reverse(key.clone()));
        }
        assert_eq!(read, request.events);
        assert_eq!(PlayerEvent::list_from_json("[1]"), None);
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
    fn names_that_trim_to_the_same_are_a_repeated_name() {
        assert_eq!(
            faults(&of_events(r#"{"a":{},"b":{}," a":{},"b\n":{}}"#)),
            [
                "Repeated /events/ a appears more than once, apart from surrounding blanks",
                "Repeated /events/b\n appears more than once, apart from surrounding blanks"
            ]
        );
        assert_eq!(parsed(&of_events(r#"{"a":{},"A":{},"a b":{},"a  b":{}}"#)).events.len(), 4);
    }

    #[test]
    fn metadata_is_an_object_null_or_an_empty_array() {
        for (metadata, events) in [
            ("{}", r#"{"e":{}}"#),
            ("null", r#"{"e":{}}"#),
            ("[]", r#"{"e":{}}"#),
            (r#"{"k":1,"l":"x","m":[true,2]}"#, r#"{"e":{"k":1,"l":"x","m":[true,2]}}"#),
            (r#"{"k":null,"l":{},"m":[[1],null,{"n":{}}]}"#, r#"{"e":{"k":null,"l":{},"m":[[1],null,{"n":{}}]}}"#),
        ] {
            let request = parsed(&of_events(&format!(r#"{{"e":{metadata}}}"#)));
            assert_eq!(request.events_to_json().to_string(), events);
        }
        for metadata in ["5", "\"x\"", "true", "[1]", "[{}]"] {
            assert_eq!(faults(&of_events(&format!(r#"{{"e":{metadata}}}"#))), ["Invalid /events/e must be an object"]);
        }
    }

    #[test]
    fn metadata_may_have_any_value_of_limited_strings() {
        let longest = "x".repeat(MAX_TEXT);
        parsed(&of_events(&format!(r#"{{"e":{{"{longest}":"{longest}","o":{{"{longest}":["{longest}"]}}}}}}"#)));
        for (metadata, pointer) in [
            (format!(r#"{{"k":"{longest}x"}}"#), "/k"),
            (format!(r#"{{"k":["{longest}x"]}}"#), "/k/0"),
            (format!(r#"{{"k":[{{"l":["{longest}x"]}}]}}"#), "/k/0/l/0"),
        ] {
            let expected = format!("Invalid /events/e{pointer} must be at most 4096 bytes of UTF-8");
            assert_eq!(faults(&of_events(&format!(r#"{{"e":{metadata}}}"#))), [expected]);
        }
        let order = parsed(&of_events(r#"{"order":{"total":100,"products":[{"sku":"a","price":9.50}],"tags":["x"]}}"#));
        let kinds: Vec<_> = order.events[0].metadata.iter().map(|(_, value)| value).collect();
        assert!(matches!(kinds[..], [Datum::One(_), Datum::Nested(_), Datum::Many(_)]), "{kinds:?}");
    }

    #[test]
    fn a_player_id_is_read_only_in_the_absence_of_a_unique_id() {
        for (members, player) in [
            (r#""playerId":"segment""#, "segment"),
            (r#""playerUniqueId":null,"playerId":"segment""#, "segment"),
            (r#""playerId":"segment","playerUniqueId":"unique""#, "unique"),
            (r#""playerId":null,"playerUniqueId":"unique""#, "unique"),
            (r#""playerId":5,"playerUniqueId":"unique""#, "unique"),
        ] {
            assert_eq!(&*parsed(&format!(r#"{{{members},"events":{{}}}}"#)).player.id, player, "{members}");
        }
        for (members, fault) in [
            (r#""playerId":null"#, "Missing /playerUniqueId is required"),
            (r#""playerId":null,"playerUniqueId":null"#, "Null /playerUniqueId must not be null"),
            (r#""playerUniqueId":null"#, "Null /playerUniqueId must not be null"),
            (r#""playerId":5"#, "Invalid /playerId must be a string"),
            (r#""playerId":"segment","playerUniqueId":5"#, "Invalid /playerUniqueId must be a string"),
        ] {
            assert_eq!(faults(&format!(r#"{{{members},"events":{{}}}}"#)), [fault], "{members}");
        }
    }

    #[test]
    fn all_faults_are_noted() {
        assert_eq!(
            faults(
                &r#"{"mobile":5,"email":[],"events":{"":{},"e":7,"f":[1],"g":{"k":"TOO LONG"}}}"#
                    .replace("TOO LONG", &"x".repeat(MAX_TEXT + 1))
            )
            .iter()
            .map(|fault| fault.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>(),
            [
                "Missing /playerUniqueId",
                "Invalid /mobile",
                "Invalid /email",
                "Invalid /events/",
                "Invalid /events/e",
                "Invalid /events/f",
                "Invalid /events/g/k"
            ]
        );
    }

    #[test]
    fn only_the_address_that_players_are_merged_by_is_required_and_kept() {
        let body = r#"{"playerUniqueId":"p","email":" Ada@Example.COM ","mobile":" +1 A ","events":{}}"#;
        let address = |merging| parse(body, merging).expect("a request").player.address;
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
        // Any other address may be absent, null or blank.
        for member in ["", r#""email":null,"#, r#""email":" ","#] {
            parsed(&format!(r#"{{"playerUniqueId":"p",{member}"events":{{}}}}"#));
        }
    }

    #[test]
    fn a_retry_is_identified_by_its_canonical_form() {
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
