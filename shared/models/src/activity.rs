//! Activities of a loyalty programme's members.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    channel,
    data::{Datum, OpenData, Scalar},
    fault::{FaultKind, Faults, Noted},
    ids::LoyaltyId,
    json::{self, At, MAX_TEXT, Value},
    settings::UnitStatus,
    timestamp::Timestamp,
};

const MAX_EXTENDED_ENTRIES: usize = 20;
const MAX_EXTENDED_BYTES: usize = 5120;

/// The settings and state that an activity is validated against.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of arrival.
    pub now: Timestamp,
    /// The catalog's actions.
    pub actions: &'a BTreeSet<String>,
    /// The catalog's business units.
    pub business_units: &'a BTreeMap<String, UnitStatus>,
    /// The channel of activities that name none.
    pub default_channel: Option<&'a str>,
    /// The loyalty id of the account that the activity belongs to, if it has one.
    pub loyalty_id: Option<&'a LoyaltyId>,
}

/// A valid activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The action, one of the catalog's.
    pub action: String,
    /// The channel.
    pub channel: String,
    /// The time of the activity, by the client's clock.
    pub when: Timestamp,
    /// The unit whose offers are evaluated. If absent, the offers of all units are.
    pub business_unit: Option<String>,
    /// The loyalty id, if the client sent it. It is the account's.
    pub loyalty_id: Option<String>,
    /// The client's note.
    pub note: Option<String>,
    /// The further data: scalars only.
    pub extended_data: OpenData,
}

impl Activity {
    /// Parses an activity. The dialect reports one fault, the first of the contract's order, so faults are noted in
    /// that order and as whole sentences.
    ///
    /// # Errors
    /// The faults of the activity.
    pub fn parse(body: At<'_, '_>, context: Context<'_>) -> Result<Self, Noted> {
        let body = body.object()?;
        let sentence = |message: &str| body.at.fault_of_whole(FaultKind::Invalid, message);
        let channel = channel::parse(&body, context.default_channel);
        let action = body.with("action", |given| given.and_then(text).filter(|name| context.actions.contains(name)));
        let action = action.ok_or_else(|| sentence("Action not found"));
        let when = body.with("when", |given| {
            given
                .and_then(text)
                .and_then(|text| Timestamp::from_text(&text))
                .filter(|when| !when.is_ahead_of(context.now))
        });
        let when = when.ok_or_else(|| sentence("When not found"));
        let business_unit = body.optional("businessUnit", |at| {
            let unit = text(at).ok_or_else(|| sentence("Provided business unit is not valid"))?;
            match context.business_units.get(&unit) {
                Some(UnitStatus::Enabled) => Ok(Some(unit)),
                Some(UnitStatus::Disabled) => Err(sentence("Provided businessUnit is disabled")),
                None if unit.trim().is_empty() => Ok(None),
                None => Err(sentence("Provided business unit is not valid")),
            }
        });
        let loyalty_id = body.optional("loyaltyId", |at| {
            let own = text(at).filter(|id| context.loyalty_id.is_some_and(|own| **own == **id));
            own.ok_or_else(|| sentence("LoyaltyId specified is not associated with this Account"))
        });
        let note = body.optional("note", |at| at.string_up_to(MAX_TEXT).map(str::to_owned));
        let extended_data = body.optional("extendedData", parse_extended_data).map(Option::unwrap_or_default);
        Ok(Activity {
            action: action?,
            channel: channel?,
            when: when?,
            business_unit: business_unit?.flatten(),
            loyalty_id: loyalty_id?,
            note: note?,
            extended_data: extended_data?,
        })
    }

    /// Returns the activity in the dialect's form. Absent members are left out.
    #[must_use]
    pub fn to_json(&self) -> Value<'_> {
        let mut members = vec![
            (Cow::Borrowed("action"), string(&self.action)),
            (Cow::Borrowed("channel"), string(&self.channel)),
            (Cow::Borrowed("when"), Value::String(Cow::Owned(self.when.to_string()))),
        ];
        let optional = [("businessUnit", &self.business_unit), ("loyaltyId", &self.loyalty_id), ("note", &self.note)];
        for (name, value) in optional {
            if let Some(value) = value {
                members.push((Cow::Borrowed(name), string(value)));
            }
        }
        members.extend(self.extended_data_to_json().map(|data| (Cow::Borrowed("extendedData"), data)));
        Value::Object(members)
    }

    /// Returns the further data in the dialect's form, if there is any.
    #[must_use]
    pub fn extended_data_to_json(&self) -> Option<Value<'_>> {
        let entries = self.extended_data.iter().map(|(name, value)| {
            Value::Object(vec![(Cow::Borrowed("name"), string(name)), (Cow::Borrowed("value"), value.to_json())])
        });
        (!self.extended_data.is_empty()).then(|| Value::Array(entries.collect()))
    }
}

/// Reads further data from [`Activity::extended_data_to_json`], or returns `None` if the text is anything else.
#[must_use]
pub fn extended_data_from_json(text: &str) -> Option<OpenData> {
    json::parse(text.as_bytes(), &Faults::default(), parse_extended_data).ok()
}

fn string(text: &str) -> Value<'_> {
    Value::String(Cow::Borrowed(text))
}

fn text(at: At<'_, '_>) -> Option<String> {
    match at.value {
        Value::String(text) => Some(text.clone().into_owned()),
        _ => None,
    }
}

fn parse_extended_data(at: At<'_, '_>) -> Result<OpenData, Noted> {
    let entries = at.items(0..=MAX_EXTENDED_ENTRIES, |entry| {
        let entry = entry.object()?;
        let name = entry.required("name", |name| name.string().map(str::to_owned));
        let value = entry.optional("value", Scalar::parse).map(|value| value.unwrap_or(Scalar::Null));
        Ok((name?, value?))
    })?;
    let size = |value: &Scalar| match value {
        Scalar::String(text) => text.len(),
        other => other.to_json().to_string().len(),
    };
    if entries.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>() > MAX_EXTENDED_BYTES {
        return Err(at.invalid(format!("must have at most {MAX_EXTENDED_BYTES} bytes of names and values in all")));
    }
    let mut names = BTreeSet::new();
    if !entries.iter().all(|(name, _)| names.insert(name)) {
        return Err(at.fault(FaultKind::Repeated, "must not have a name more than once"));
    }
    Ok(entries.into_iter().map(|(name, value)| (name, Datum::One(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEN: &str = "2024-10-01T07:00:00Z";

    fn parse(body: &str, default_channel: Option<&str>) -> Result<Activity, Vec<String>> {
        let actions = BTreeSet::from(["APP_CHECKIN".to_owned()]);
        let business_units =
            [("XYZ", UnitStatus::Enabled), ("OLD", UnitStatus::Disabled)].map(|(name, unit)| (name.to_owned(), unit));
        let loyalty_id = "L-1".parse().expect("an id");
        let context = Context {
            now: Timestamp::from_text(WHEN).expect("a time"),
            actions: &actions,
            business_units: &business_units.into(),
            default_channel,
            loyalty_id: Some(&loyalty_id),
        };
        let faults = Faults::default();
        let parsed = json::parse(body.as_bytes(), &faults, |body| Activity::parse(body, context));
        faults.none_or(parsed).map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    fn body(members: &str) -> String {
        format!(r#"{{"action":"APP_CHECKIN","channel":"APP","when":"{WHEN}"{members}}}"#)
    }

    #[test]
    fn an_activity_is_returned_as_it_was_sent() {
        let sent = body(
            r#","businessUnit":"XYZ","loyaltyId":"L-1","note":"n","extendedData":[{"name":"k","value":1.50},{"name":""}],"more":{}"#,
        );
        let activity = parse(&sent, None).expect("an activity");
        assert_eq!(
            activity.to_json().to_string(),
            r#"{"action":"APP_CHECKIN","businessUnit":"XYZ","channel":"APP","extendedData":[{"name":"k","value":1.5},{"name":"","value":null}],"loyaltyId":"L-1","note":"n","when":"2024-10-01T07:00:00.000Z"}"#
        );
    }

    #[test]
    fn faults_are_noted_in_the_order_of_the_contract() {
        let sent = r#"{"note":5,"loyaltyId":"L-2","businessUnit":"NEW","when":"now","action":"x","channel":""}"#;
        assert_eq!(
            parse(sent, Some("APP")).expect_err("faults"),
            [
                "Channel not found",
                "Action not found",
                "When not found",
                "Provided business unit is not valid",
                "LoyaltyId specified is not associated with this Account",
                "must be a string"
            ]
        );
    }

    #[test]
    fn an_activity_without_a_channel_gets_the_default() {
        let without = format!(r#"{{"action":"APP_CHECKIN","when":"{WHEN}"}}"#);
        assert_eq!(parse(&without, Some("WEB")).expect("an activity").channel, "WEB");
        assert_eq!(parse(&without, None).expect_err("faults"), ["Channel not found"]);
    }

    #[test]
    fn an_activity_may_be_ahead_by_exactly_24_hours() {
        let at = |when: &str| format!(r#"{{"action":"APP_CHECKIN","channel":"APP","when":"{when}"}}"#);
        assert!(parse(&at("2024-10-02T07:00:00.000Z"), None).is_ok());
        assert_eq!(parse(&at("2024-10-02T07:00:00.001Z"), None).expect_err("faults"), ["When not found"]);
    }

    #[test]
    fn a_business_unit_is_an_enabled_one_or_none() {
        for (unit, expected) in [("\"XYZ\"", Some("XYZ")), ("\"\"", None), ("\" \"", None), ("null", None)] {
            let activity = parse(&body(&format!(",\"businessUnit\":{unit}")), None).expect("an activity");
            assert_eq!(activity.business_unit.as_deref(), expected, "{unit}");
        }
        for (unit, message) in [
            ("\"OLD\"", "Provided businessUnit is disabled"),
            ("\"xyz\"", "Provided business unit is not valid"),
            ("5", "Provided business unit is not valid"),
        ] {
            assert_eq!(parse(&body(&format!(",\"businessUnit\":{unit}")), None).expect_err("faults"), [message]);
        }
    }

    #[test]
    fn extended_data_are_twenty_scalars_of_five_kilobytes_at_most() {
        let data = |entries: &[String]| parse(&body(&format!(",\"extendedData\":[{}]", entries.join(","))), None);
        let entry = |name: &str, value: &str| format!(r#"{{"name":"{name}","value":{value}}}"#);
        let text = |length: usize| format!("\"{}\"", "x".repeat(length));
        let numbered = |count: usize| (0..count).map(|n| entry(&format!("k{n}"), "true")).collect::<Vec<_>>();
        assert!(data(&numbered(20)).is_ok());
        // There is no limit for a single name or value, and any scalar is valid.
        let any = [entry("", "null"), entry("\\u0000", "\"\\u0000\""), entry(&"n".repeat(4100), "-1.5e300")];
        assert!(data(&any).is_ok());
        assert!(data(&[r#"{"name":"without a value"}"#.to_owned()]).is_ok());
        assert!(data(&[entry("é", &text(MAX_EXTENDED_BYTES - 2))]).is_ok());
        for entries in [
            numbered(21),
            vec![entry("é", &text(MAX_EXTENDED_BYTES - 1))],
            vec![entry("k", "1"), entry("\\u006b", "2")],
            vec![entry("k", "{}")],
            vec![entry("k", "[]")],
            vec![r#"{"name":null,"value":1}"#.to_owned()],
            vec![r#"{"name":5,"value":1}"#.to_owned()],
            vec![r#"{"value":1}"#.to_owned()],
            vec!["5".to_owned()],
        ] {
            assert_eq!(data(&entries).expect_err("a fault").len(), 1, "{entries:?}");
        }
        assert_eq!(data(&numbered(21)).expect_err("a fault"), ["must have at most 20 items"]);
        assert_eq!(
            data(&[entry("é", &text(MAX_EXTENDED_BYTES - 1))]).expect_err("a fault"),
            ["must have at most 5120 bytes of names and values in all"]
        );
    }
}
