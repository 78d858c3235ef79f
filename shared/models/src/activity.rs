//! Activities: what a loyalty programme's members did.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    data::{Datum, OpenData, Scalar},
    fault::{FaultKind, Noted},
    ids::LoyaltyId,
    json::{At, MAX_TEXT, Members, Value},
    timestamp::Timestamp,
};

/// The longest channel, in characters.
pub const MAX_CHANNEL: usize = 64;
const MAX_EXTENDED: usize = 20;
const MAX_EXTENDED_BYTES: usize = 5120;

/// Whether a business unit takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitStatus {
    /// Its offers count.
    Enabled,
    /// It is known, but nothing can be sent for it and its offers don't count.
    Disabled,
}

/// What parsing an activity has to know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The actions that there are.
    pub actions: &'a BTreeSet<String>,
    /// The business units that there are.
    pub business_units: &'a BTreeMap<String, UnitStatus>,
    /// The channel of an activity that names none.
    pub default_channel: Option<&'a str>,
    /// The loyalty id of the account whose activity it is, if that has one.
    pub loyalty_id: Option<&'a LoyaltyId>,
}

/// An activity as it is recorded and rewarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// What was done.
    pub action: String,
    /// Where it was done.
    pub channel: String,
    /// When it was done.
    pub when: Timestamp,
    /// The unit whose offers count; all units' if there is none.
    pub business_unit: Option<String>,
    /// The loyalty id that was sent along.
    pub loyalty_id: Option<String>,
    /// A remark.
    pub note: Option<String>,
    /// Further data; single values only.
    pub extended_data: OpenData,
}

impl Activity {
    /// Parses an activity. The faults are noted in the order in which the dialect tells them, each as the sentence
    /// that it tells.
    ///
    /// # Errors
    /// Anything wrong.
    pub fn parse(body: At<'_, '_>, context: Context<'_>) -> Result<Self, Noted> {
        let body = body.object()?;
        let sentence = |message: &str| body.at.fault_of_whole(FaultKind::Invalid, message);
        let channel = parse_channel(&body, context.default_channel);
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

    /// What was sent, in the words of the dialect; members that weren't sent are left out.
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

    /// The further data as it was sent, if any was.
    #[must_use]
    pub fn extended_data_to_json(&self) -> Option<Value<'_>> {
        let entries = self.extended_data.iter().map(|(name, value)| {
            Value::Object(vec![(Cow::Borrowed("name"), string(name)), (Cow::Borrowed("value"), value.to_json())])
        });
        (!self.extended_data.is_empty()).then(|| Value::Array(entries.collect()))
    }
}

/// Parses `channel`: the default where it is missing, but not where it is `null` or blank.
///
/// # Errors
/// There is none.
pub fn parse_channel(body: &Members<'_, '_>, default: Option<&str>) -> Result<String, Noted> {
    let channel = body.with("channel", |given| match given {
        None => default.map(str::to_owned),
        Some(at) => text(at).filter(|text| !text.trim().is_empty() && text.chars().nth(MAX_CHANNEL).is_none()),
    });
    channel.ok_or_else(|| body.at.fault_of_whole(FaultKind::Invalid, "Channel not found"))
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
    let entries = at.items(0..=MAX_EXTENDED, |entry| {
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
        return Err(at.invalid(format!("must be at most {MAX_EXTENDED_BYTES} bytes in all")));
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
    use crate::{fault::Faults, json};

    const WHEN: &str = "2024-10-01T07:00:00Z";

    fn parse(body: &str, default_channel: Option<&str>) -> Result<Activity, Vec<String>> {
        let actions = BTreeSet::from(["APP_CHECKIN".to_owned()]);
        let business_units =
            [("XYZ", UnitStatus::Enabled), ("OLD", UnitStatus::Disabled)].map(|(name, unit)| (name.to_owned(), unit));
        let loyalty_id = LoyaltyId::new("L-1").expect("an id");
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
    fn an_activity_is_told_as_it_was_sent() {
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
    fn the_faults_are_told_in_the_order_of_the_dialect() {
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
    fn the_default_channel_is_for_activities_that_name_none() {
        let without = format!(r#"{{"action":"APP_CHECKIN","when":"{WHEN}"}}"#);
        assert_eq!(parse(&without, Some("WEB")).expect("an activity").channel, "WEB");
        assert_eq!(parse(&without, None).expect_err("faults"), ["Channel not found"]);
        for channel in ["null", "\"\"", "\" \"", "5", &format!("\"{}\"", "é".repeat(65))] {
            let sent = format!(r#"{{"action":"APP_CHECKIN","when":"{WHEN}","channel":{channel}}}"#);
            assert_eq!(parse(&sent, Some("WEB")).expect_err("faults"), ["Channel not found"], "{channel}");
        }
        let longest = "é".repeat(64);
        let sent = format!(r#"{{"action":"APP_CHECKIN","when":"{WHEN}","channel":"{longest}"}}"#);
        assert_eq!(parse(&sent, None).expect("an activity").channel, longest);
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
        assert!(data(&[entry("é", &text(MAX_EXTENDED_BYTES - 2))]).is_ok());
        for entries in [
            numbered(21),
            vec![entry("é", &text(MAX_EXTENDED_BYTES - 1))],
            vec![entry("k", "1"), entry("\\u006b", "2")],
            vec![entry("k", "{}")],
            vec![entry("k", "[]")],
            vec![r#"{"value":1}"#.to_owned()],
            vec!["5".to_owned()],
        ] {
            assert_eq!(data(&entries).expect_err("a fault").len(), 1, "{entries:?}");
        }
    }
}
