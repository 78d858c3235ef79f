//! Client events: what customers did with the ads and offers shown to them.

use std::collections::{HashMap, HashSet};

use crate::{
    fault::{FaultKind, Noted},
    ids::{self, ClientEventId, MAX_ID, parse_id},
    json::{At, MAX_TEXT, Members, Value},
    timestamp::Timestamp,
};

/// Maximum number of events in one request.
pub const MAX_BATCH: usize = 100;
const MAX_IMAGE_SLOTS: usize = 32;

/// The settings and state that a client event is validated against.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of arrival.
    pub now: Timestamp,
    /// The catalog's sections, in addition to the built-in ones.
    pub sections: &'a HashSet<String>,
}

/// A valid client event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEvent {
    /// The id, unique per customer.
    pub id: ClientEventId,
    /// The event. It determines the type.
    pub name: EventName,
    /// The time of the event, by the client's clock.
    pub timestamp: Timestamp,
    /// The ad and its place. Complete for the events that require it, partial for others.
    pub metadata: Metadata,
}

/// The value of `clientEventMetadata`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The token delivered with the ad.
    pub serve_token: Option<String>,
    /// The section of the institution's user interface.
    pub section: Option<Section>,
    /// The channel through which the ad was delivered.
    pub channel: Option<Channel>,
    /// The image slots that were shown.
    pub image_slots: Option<Vec<String>>,
    /// The ad's category.
    pub category_id: Option<String>,
    /// The curation that the ad belongs to.
    pub curation_id: Option<String>,
    /// The ad's position in its section, from 0.
    pub display_position: Option<u64>,
}

/// Defines an enum whose variants have their names on the wire.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the vendor documents the names")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// All values, in the vendor's order.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// Returns the name on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant)),+ }
            }

            /// Returns the value with this name.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }

            fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
                Self::from_text(at.string()?).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    at.invalid(format!("must be one of {}", names.join(", ")))
                })
            }
        }
    };
}

named! {
    /// The value of `clientEventType`.
    EventType { AdImpression, AdInteraction, CustomerProfileAction, SessionAction }
}

named! {
    /// The value of `clientEvent`. Each event belongs to one type.
    EventName {
        AdViewableImpression,
        DisplayElementExpanded, DisplayElementCollapsed, UrlLinkClicked, ActivateOffer, ParkOffer,
        UrlLinkContinue, UnParkOffer, ExpiredOffersLinkClicked,
        RewardSummaryLinkClicked, LearnMoreLinkClicked, FaqLinkClicked,
        LogEnrollment, UnParkAllOffers,
    }
}

named! {
    /// The value of `channel`.
    Channel { Email, SMS, MMS, OLB, MobileWeb, MobileApp, MobileWallet }
}

impl EventName {
    /// Returns the type that the event belongs to.
    #[must_use]
    pub fn event_type(self) -> EventType {
        use EventName as N;
        match self {
            N::AdViewableImpression => EventType::AdImpression,
            N::DisplayElementExpanded
            | N::DisplayElementCollapsed
            | N::UrlLinkClicked
            | N::ActivateOffer
            | N::ParkOffer
            | N::UrlLinkContinue
            | N::UnParkOffer
            | N::ExpiredOffersLinkClicked => EventType::AdInteraction,
            N::RewardSummaryLinkClicked | N::LearnMoreLinkClicked | N::FaqLinkClicked => {
                EventType::CustomerProfileAction
            }
            N::LogEnrollment | N::UnParkAllOffers => EventType::SessionAction,
        }
    }

    /// Returns true if the event's metadata must name the ad and its place. The ad events that only the vendor's own
    /// documentation lists do not: `ExpiredOffersLinkClicked`, for example, concerns no ad.
    fn requires_complete_metadata(self) -> bool {
        use EventName as N;
        match self {
            N::AdViewableImpression
            | N::DisplayElementExpanded
            | N::DisplayElementCollapsed
            | N::UrlLinkClicked
            | N::ActivateOffer
            | N::ParkOffer => true,
            N::UrlLinkContinue
            | N::UnParkOffer
            | N::ExpiredOffersLinkClicked
            | N::RewardSummaryLinkClicked
            | N::LearnMoreLinkClicked
            | N::FaqLinkClicked
            | N::LogEnrollment
            | N::UnParkAllOffers => false,
        }
    }
}

impl EventType {
    /// Returns true if events of this type must have metadata.
    fn requires_metadata(self) -> bool {
        match self {
            EventType::AdImpression | EventType::AdInteraction => true,
            EventType::CustomerProfileAction | EventType::SessionAction => false,
        }
    }
}

/// A section of the user interface: a built-in one, or one of the institution's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section(String);

impl Section {
    const BUILT_IN: [&str; 17] = [
        "Email",
        "SMS",
        "MMS",
        "Transaction",
        "Summary",
        "Dashboard",
        "Landing",
        "OnboardingPage",
        "LatestOffers",
        "ExpiringSoon",
        "RewardSummaryListView",
        "FeaturedOffers",
        "Rewards",
        "WidgetAccountOverview",
        "WidgetDebit",
        "WidgetCredit",
        "Map",
    ];

    /// Restores a section from the store.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Section(text)
    }

    /// Returns the section's name or id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(at: At<'_, '_>, own: &HashSet<String>) -> Result<Self, Noted> {
        if let Value::Number(number) = at.value {
            let id = number.is_integer().then(|| number.to_string());
            let id = id.filter(|id| !id.contains('e') && id.len() <= MAX_ID);
            return id.map(Section).ok_or_else(|| at.invalid("must be a section's name or integer id"));
        }
        let text = parse_id(at)?;
        let known = Self::BUILT_IN.contains(&text.as_str())
            || text.bytes().all(|byte| byte.is_ascii_digit())
            || own.contains(&text);
        if known { Ok(Section(text)) } else { Err(at.invalid("must be a known section's name or integer id")) }
    }
}

/// Parses `{"clientEvents": […]}`: 1 to 100 events with distinct ids.
///
/// # Errors
/// The faults of all events.
pub fn parse_batch(body: At<'_, '_>, context: Context<'_>) -> Result<Vec<ClientEvent>, Noted> {
    body.object()?.required("clientEvents", |events| {
        let mut seen = HashMap::new();
        let mut index = 0;
        events.items(1..=MAX_BATCH, |event| {
            let here = index;
            index += 1;
            let event = event.object()?;
            let parsed = ClientEvent::parse(&event, context);
            // Checked even if the event has other faults: one response lists everything.
            let id = event.with("clientEventId", |id| id.and_then(|id| text_of(id)?.parse::<ClientEventId>().ok()));
            if let Some(first) = id.and_then(|id| seen.insert(id, here)) {
                return Err(event.fault(
                    "clientEventId",
                    FaultKind::Repeated,
                    format!("is also the id of /clientEvents/{first}"),
                ));
            }
            parsed
        })
    })
}

fn text_of<'v>(at: At<'v, '_>) -> Option<&'v str> {
    match at.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

impl ClientEvent {
    fn parse(event: &Members<'_, '_>, context: Context<'_>) -> Result<Self, Noted> {
        let id = event.required("clientEventId", ids::parse_member);
        let event_type = event.required("clientEventType", EventType::parse);
        let name = event.required("clientEvent", |at| {
            let name = EventName::parse(at)?;
            match event_type {
                Ok(expected) if name.event_type() != expected => {
                    Err(at.invalid(format!("{} is not an event of type {}", name.as_str(), expected.as_str())))
                }
                _ => Ok(name),
            }
        });
        let timestamp = event.required("clientEventTimestamp", |at| Timestamp::parse(at, context.now));
        let is_required = event_type.is_ok_and(EventType::requires_metadata);
        // An unknown event is validated as the documented ones of its type are.
        let is_complete = is_required && name.map_or(true, EventName::requires_complete_metadata);
        let parse = |at: At<'_, '_>| Metadata::parse(&at.object()?, is_complete, context.sections);
        let metadata = expected(event, is_required, "clientEventMetadata", parse).map(Option::unwrap_or_default);
        Ok(ClientEvent { id: id?, name: name?, timestamp: timestamp?, metadata: metadata? })
    }
}

impl Metadata {
    fn parse(given: &Members<'_, '_>, complete: bool, own_sections: &HashSet<String>) -> Result<Self, Noted> {
        let text = |at: At<'_, '_>| at.string_up_to(MAX_TEXT).map(str::to_owned);
        let serve_token = expected(given, complete, "serveToken", text);
        let section = expected(given, complete, "section", |at| Section::parse(at, own_sections));
        let channel = expected(given, complete, "channel", Channel::parse);
        let image_slots = given.optional("imageSlots", |at| at.items(0..=MAX_IMAGE_SLOTS, text));
        let category_id = given.optional("categoryId", parse_id);
        let curation_id = given.optional("curationId", parse_id);
        let display_position = given.optional("displayPosition", |at| at.integer_from(0));
        Ok(Metadata {
            serve_token: serve_token?,
            section: section?,
            channel: channel?,
            image_slots: image_slots?,
            category_id: category_id?,
            curation_id: curation_id?,
            display_position: display_position?,
        })
    }
}

/// Parses a member that is required under a condition.
fn expected<'a, T>(
    given: &Members<'_, 'a>,
    required: bool,
    name: &str,
    parse: impl FnOnce(At<'_, 'a>) -> Result<T, Noted>,
) -> Result<Option<T>, Noted> {
    if required { given.required(name, parse).map(Some) } else { given.optional(name, parse) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, json};

    const NOW: &str = "2024-10-02T00:00:00Z";

    fn parse(body: &str) -> Result<Vec<ClientEvent>, Vec<String>> {
        let sections = HashSet::from(["VIPLounge".to_owned()]);
        let now = Timestamp::from_text(NOW).expect("a moment");
        let faults = Faults::default();
        let events = json::parse(body.as_bytes(), &faults, |at| parse_batch(at, Context { now, sections: &sections }));
        faults
            .none_or(events)
            .map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect())
    }

    fn impression(metadata: &str) -> String {
        format!(
            r#"{{"clientEvents":[{{"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12","clientEventType":"AdImpression",
            "clientEvent":"AdViewableImpression","clientEventTimestamp":"2024-10-01T07:00:00Z","clientEventMetadata":{metadata}}}]}}"#
        )
    }

    #[test]
    fn every_event_belongs_to_its_type_and_to_no_other() {
        for name in EventName::ALL {
            for event_type in EventType::ALL {
                let body = format!(
                    r#"{{"clientEvents":[{{"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12","clientEventType":"{}",
                    "clientEvent":"{}","clientEventTimestamp":"2024-10-01T07:00:00Z",
                    "clientEventMetadata":{{"serveToken":"t","section":5,"channel":"OLB"}}}}]}}"#,
                    event_type.as_str(),
                    name.as_str(),
                );
                assert_eq!(parse(&body).is_ok(), name.event_type() == *event_type, "{body}");
            }
        }
    }

    #[test]
    fn a_section_is_a_known_name_or_an_integer() {
        let section = |json: &str| {
            parse(&impression(&format!(r#"{{"serveToken":"t","channel":"OLB","section":{json}}}"#)))
                .ok()
                .and_then(|events| events[0].metadata.section.as_ref().map(|section| section.as_str().to_owned()))
        };
        for (json, name) in
            [("5", "5"), ("\"5\"", "5"), ("5.0", "5"), ("\"Map\"", "Map"), ("\"VIPLounge\"", "VIPLounge")]
        {
            assert_eq!(section(json).as_deref(), Some(name), "{json}");
        }
        for json in ["\"map\"", "\"Lounge\"", "\"\"", "5.5", "true", "[]", "1e99", "\"-5\"", "\"５\""] {
            assert_eq!(section(json), None, "{json}");
        }
    }

    #[test]
    fn only_the_documented_ad_events_require_complete_metadata() {
        let faults = |event: &str, metadata: &str| {
            let body = format!(
                r#"{{"clientEvents":[{{"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12",{event},
                "clientEventTimestamp":"2024-10-01T07:00:00Z"{metadata}}}]}}"#
            );
            let faults = parse(&body).err().unwrap_or_default();
            let member =
                |fault: String| fault.split(' ').next().and_then(|it| it.rsplit('/').next()).map(str::to_owned);
            faults.into_iter().filter_map(member).collect::<Vec<_>>()
        };
        let complete = ["serveToken", "section", "channel"];
        let interaction = |name: &str| format!(r#""clientEventType":"AdInteraction","clientEvent":"{name}""#);
        for name in
            ["DisplayElementExpanded", "DisplayElementCollapsed", "UrlLinkClicked", "ActivateOffer", "ParkOffer"]
        {
            assert_eq!(faults(&interaction(name), r#","clientEventMetadata":{}"#), complete, "{name}");
            assert_eq!(faults(&interaction(name), ""), ["clientEventMetadata"], "{name}");
        }
        let impression = r#""clientEventType":"AdImpression","clientEvent":"AdViewableImpression""#;
        assert_eq!(faults(impression, r#","clientEventMetadata":{}"#), complete);
        for name in ["UrlLinkContinue", "UnParkOffer", "ExpiredOffersLinkClicked"] {
            let event = interaction(name);
            let none: [&str; 0] = [];
            assert_eq!(faults(&event, r#","clientEventMetadata":{}"#), none, "{name}");
            assert_eq!(
                faults(&event, r#","clientEventMetadata":{"section":5,"channel":"OLB","serveToken":null}"#),
                none
            );
            assert_eq!(faults(&event, ""), ["clientEventMetadata"], "{name}");
            assert_eq!(
                faults(&event, r#","clientEventMetadata":{"section":true,"channel":"TV"}"#),
                ["section", "channel"]
            );
        }
        let session = r#""clientEventType":"SessionAction","clientEvent":"LogEnrollment""#;
        for metadata in ["", r#","clientEventMetadata":null"#, r#","clientEventMetadata":{}"#] {
            assert!(faults(session, metadata).is_empty(), "{metadata}");
        }
    }

    #[test]
    fn an_event_may_be_ahead_by_exactly_24_hours() {
        let body = impression(r#"{"serveToken":"t","section":"5","channel":"OLB"}"#);
        assert!(parse(&body.replace("2024-10-01T07:00:00Z", "2024-10-03T00:00:00.000Z")).is_ok());
        assert_eq!(
            parse(&body.replace("2024-10-01T07:00:00Z", "2024-10-03T00:00:00.001Z")).expect_err("a fault"),
            ["/clientEvents/0/clientEventTimestamp must not be more than 24 hours in the future"]
        );
    }

    #[test]
    fn all_faults_of_all_events_are_noted() {
        let faults = parse(
            r#"{"clientEvents":[
                {"clientEventId":"1","clientEventType":"AdClick","clientEvent":"Nothing","clientEventTimestamp":"yesterday"},
                {"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12","clientEventType":"SessionAction",
                 "clientEvent":"ActivateOffer","clientEventTimestamp":"2024-10-03T00:00:00.001Z",
                 "clientEventMetadata":{"channel":"TV","displayPosition":-1,"imageSlots":["logo",7]}},
                {"clientEventId":"12395199-1565-4565-BF99-3f94ee505d12","clientEventType":"AdInteraction",
                 "clientEvent":"ActivateOffer","clientEventTimestamp":null,"clientEventMetadata":{}},
                7
            ]}"#,
        )
        .expect_err("faulty");
        let places: Vec<_> = faults.iter().map(|fault| fault.split_once(' ').expect("a pointer").0).collect();
        assert_eq!(
            places,
            [
                "/clientEvents/0/clientEventId",
                "/clientEvents/0/clientEventType",
                "/clientEvents/0/clientEvent",
                "/clientEvents/0/clientEventTimestamp",
                "/clientEvents/1/clientEvent",
                "/clientEvents/1/clientEventTimestamp",
                "/clientEvents/1/clientEventMetadata/channel",
                "/clientEvents/1/clientEventMetadata/imageSlots/1",
                "/clientEvents/1/clientEventMetadata/displayPosition",
                "/clientEvents/2/clientEventTimestamp",
                "/clientEvents/2/clientEventMetadata/serveToken",
                "/clientEvents/2/clientEventMetadata/section",
                "/clientEvents/2/clientEventMetadata/channel",
                "/clientEvents/2/clientEventId",
                "/clientEvents/3",
            ]
        );
    }

    #[test]
    fn another_spelling_is_the_same_event() {
        let one = parse(&impression(r#"{"serveToken":"t","section":"5","channel":"OLB","displayPosition":10}"#));
        let other = parse(
            &impression(r#"{"channel":"OLB","displayPosition":1e1,"section":5,"serveToken":"\u0074","color":{"x":1}}"#)
                .replace("07:00:00Z", "09:00:00.0004+02:00")
                .replace("bf99", "BF99"),
        );
        assert_eq!(one, other);
    }
}
