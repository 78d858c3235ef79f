//! Corrections of balances: reversals of activities, and adjustments.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    channel,
    fault::{FaultKind, Noted},
    ids::{self, ActivityId, CorrelationId},
    json::{At, MAX_TEXT, Members, Value},
    settings::UnitStatus,
};

/// The points type of adjustments that name none, and of offers.
pub const DEFAULT_POINTS_TYPE: &str = "loyalty";
/// The most points that an adjustment may add or take away.
pub const MAX_ADJUSTMENT: i64 = 1_000_000_000;

/// A request to reverse an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The activity.
    pub original: ActivityId,
    /// The client's reference, which makes the request unique.
    pub reference: Option<String>,
    /// The channel.
    pub channel: Option<String>,
}

/// A request to adjust a balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// The channel.
    pub channel: String,
    /// The business unit, one of the catalog's.
    pub unit: String,
    /// The points type.
    pub points_type: String,
    /// The points to add, negative to take them away. Never 0.
    pub amount: i64,
    /// The one who issued the adjustment.
    pub issuer: String,
    /// The client's reference, which makes the request unique.
    pub reference: String,
    /// The reason.
    pub note: Option<String>,
}

impl Reversal {
    /// Parses a request.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse(body: At<'_, '_>) -> Result<Self, Noted> {
        let body = body.object()?;
        let original = body.required("originalTransactionId", ids::parse_member);
        let reference = body.optional("externalReferenceId", ids::parse_id);
        let channel = body.optional("channel", |at| match at.value {
            Value::String(text) if channel::is_valid(text) => Ok(text.clone().into_owned()),
            _ => Err(at.fault_of_whole(FaultKind::Invalid, "Channel not found")),
        });
        Ok(Reversal { original: original?, reference: reference?, channel: channel? })
    }

    /// Returns the id of the reversal, which is always the same for a reference.
    #[must_use]
    pub fn id(&self, correlation_id: &CorrelationId) -> ActivityId {
        match &self.reference {
            Some(reference) => id_of("reversal", correlation_id, reference),
            None => Uuid::new_v4().into(),
        }
    }
}

impl Adjustment {
    /// Parses a request.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse(
        body: At<'_, '_>,
        units: &BTreeMap<String, UnitStatus>,
        default_channel: Option<&str>,
    ) -> Result<Self, Noted> {
        let body = body.object()?;
        let channel = channel::parse(&body, default_channel);
        let unit = body.required("businessUnit", |at| {
            let unit = at.string()?;
            if !units.contains_key(unit) {
                return Err(at.fault_of_whole(FaultKind::Invalid, "Provided business unit is not valid"));
            }
            Ok(unit.to_owned())
        });
        let issuer = body.required("issuerId", ids::parse_id);
        let amount = body.required("rewardAmount", amount);
        let reference = body.required("externalReferenceId", ids::parse_id);
        let note = body.optional("note", |at| at.string_up_to(MAX_TEXT).map(str::to_owned));
        let points_type = points_type(&body);
        Ok(Adjustment {
            channel: channel?,
            unit: unit?,
            issuer: issuer?,
            amount: amount?,
            reference: reference?,
            note: note?,
            points_type: points_type?,
        })
    }

    /// Returns the id of the adjustment, which is always the same for a reference.
    #[must_use]
    pub fn id(&self, correlation_id: &CorrelationId) -> ActivityId {
        id_of("adjustment", correlation_id, &self.reference)
    }
}

fn id_of(kind: &str, correlation_id: &CorrelationId, reference: &str) -> ActivityId {
    /// A random namespace, used for nothing else.
    const NAMESPACE: Uuid = Uuid::from_u128(0x8b1f_37d2_90c4_4a5e_b6d8_2f7e_61a3_0c95);
    // Neither id has a NUL, so no two have the same text.
    Uuid::new_v5(&NAMESPACE, format!("{kind}\0{correlation_id}\0{reference}").as_bytes()).into()
}

fn amount(at: At<'_, '_>) -> Result<i64, Noted> {
    let magnitude = match at.value {
        Value::Number(number) => number.abs().to_u64().and_then(|points| i64::try_from(points).ok()),
        _ => None,
    };
    let magnitude = magnitude.filter(|points| (1..=MAX_ADJUSTMENT).contains(points));
    let invalid = || at.invalid(format!("must be a whole number other than 0, at most {MAX_ADJUSTMENT} points"));
    let magnitude = magnitude.ok_or_else(invalid)?;
    let is_negative = matches!(at.value, Value::Number(number) if number.is_negative());
    Ok(if is_negative { -magnitude } else { magnitude })
}

fn points_type(body: &Members<'_, '_>) -> Result<String, Noted> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let named = body.optional("pointsType", |at| {
        let text = at.string()?;
        if !(1..=64).contains(&text.len()) || !text.bytes().all(is_allowed) {
            return Err(at.invalid("must be 1 to 64 characters from A-Z a-z 0-9 _ . -"));
        }
        Ok(text.to_owned())
    });
    Ok(named?.unwrap_or_else(|| DEFAULT_POINTS_TYPE.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, json};

    fn adjustment(body: &str) -> Result<Adjustment, Vec<String>> {
        let units = [("XYZ".to_owned(), UnitStatus::Enabled), ("OLD".to_owned(), UnitStatus::Disabled)].into();
        let faults = Faults::default();
        let parsed = json::parse(body.as_bytes(), &faults, |body| Adjustment::parse(body, &units, None));
        faults.none_or(parsed).map_err(|faults| faults.into_iter().map(|fault| fault.to_string()).collect())
    }

    fn with(name: &str, value: &str) -> String {
        let mut body = serde_json::json!({
            "channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 5, "externalReferenceId": "R-1",
        });
        body[name] = serde_json::from_str(value).expect("JSON");
        body.to_string()
    }

    #[test]
    fn an_adjustment_is_a_whole_number_of_points_other_than_zero() {
        for (sent, amount) in [("5", 5), ("-5", -5), ("5.0", 5), ("1e3", 1000), ("-1000000000", -1_000_000_000)] {
            assert_eq!(adjustment(&with("rewardAmount", sent)).map(|it| it.amount), Ok(amount), "{sent}");
        }
        for sent in ["0", "-0", "1.5", "1000000001", "\"5\"", "[5]", "true"] {
            let faults = adjustment(&with("rewardAmount", sent)).expect_err(sent);
            assert!(faults[0].starts_with("rewardAmount must be a whole number"), "{faults:?}");
        }
        let disabled = adjustment(&with("businessUnit", "\"OLD\"")).expect("a correction of a disabled unit");
        assert_eq!((disabled.unit.as_str(), disabled.points_type.as_str(), disabled.note), ("OLD", "loyalty", None));
    }

    #[test]
    fn the_first_fault_of_an_adjustment_is_the_one_of_the_first_member() {
        for (name, value, fault) in [
            ("channel", "null", "Channel not found"),
            ("businessUnit", "\"NEW\"", "Provided business unit is not valid"),
            ("businessUnit", "null", "businessUnit must not be null"),
            ("issuerId", "\" \"", "issuerId must have 1 to 128 characters, not only blanks, and no NUL"),
            ("externalReferenceId", "null", "externalReferenceId must not be null"),
            ("pointsType", "\"a b\"", "pointsType must be 1 to 64 characters from A-Z a-z 0-9 _ . -"),
        ] {
            assert_eq!(adjustment(&with(name, value)).expect_err(value)[0], fault);
        }
    }

    #[test]
    fn a_reference_stands_for_one_correction_of_one_kind_and_correlation_id() {
        let id = |reference: Option<&str>, correlation_id: &str| {
            let reversal = Reversal {
                original: "a-1".parse().expect("an id"),
                reference: reference.map(str::to_owned),
                channel: None,
            };
            reversal.id(&correlation_id.parse().expect("an id"))
        };
        assert_eq!(id(Some("r"), "c"), id(Some("r"), "c"));
        assert_ne!(id(Some("r"), "c"), id(Some("r"), "d"));
        assert_ne!(id(None, "c"), id(None, "c"));
        let adjustment = adjustment(&with("externalReferenceId", "\"r\"")).expect("an adjustment");
        assert_ne!(adjustment.id(&"c".parse().expect("an id")), id(Some("r"), "c"));
    }
}
