//! Rewards: the number of points that a rule pays.

use punchcard_models::{
    decimal::Decimal,
    fault::Noted,
    json::{At, Value},
};

use crate::parse::positive;

/// Maximum number of points that one rule pays for one occurrence. Higher rewards are reduced to it.
pub const MAX_POINTS: u64 = 1_000_000_000;

const MILLION: u64 = 1_000_000;
const MAX_MULTIPLIER: u64 = 1_000;
const MAX_PERCENTAGE: u64 = 100_000;

/// The number of points that an offer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reward {
    /// A fixed number.
    Flat(u64),
    /// A share of the base points, in millionths: m − 1 for `multiplier: m`, p / 100 for `percentage: p`.
    OfBase { millionths: u64 },
}

impl Reward {
    /// Parses `{flat: n}`, `{multiplier: m}` or `{percentage: p}`.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let rewards = at.object()?.each(|name, at| match name {
            "flat" => points(at).map(Reward::Flat),
            "multiplier" => decimal(at, 6)
                .filter(|times| (MILLION..=MAX_MULTIPLIER * MILLION).contains(times))
                .map(|times| Reward::OfBase { millionths: times - MILLION })
                .ok_or_else(|| {
                    at.invalid(format!("must be a number from 1 to {MAX_MULTIPLIER} with at most 6 decimals"))
                }),
            "percentage" => decimal(at, 4)
                .filter(|share| (1..=MAX_PERCENTAGE * MILLION / 100).contains(share))
                .map(|millionths| Reward::OfBase { millionths })
                .ok_or_else(|| {
                    at.invalid(format!("must be a number above 0, at most {MAX_PERCENTAGE}, with at most 4 decimals"))
                }),
            _ => Err(at.invalid("is not a known member; allowed are flat, multiplier, percentage")),
        })?;
        match rewards[..] {
            [reward] => Ok(reward),
            _ => Err(at.invalid("must have exactly one of flat, multiplier and percentage")),
        }
    }

    /// The share of the base points as a decimal: 0.55 for 550,000 millionths.
    pub fn share_of_base(millionths: u64) -> Decimal<'static> {
        let text = format!("{}.{:06}", millionths / MILLION, millionths % MILLION);
        Decimal::parse(&text).map_or_else(|| Decimal::from(0), Decimal::into_owned)
    }

    /// The points paid given the base points, rounded down.
    pub fn points(self, base: u64) -> u64 {
        match self {
            Reward::Flat(points) => points,
            Reward::OfBase { millionths } => {
                let points = u128::from(base) * u128::from(millionths) / u128::from(MILLION);
                u64::try_from(points).map_or(MAX_POINTS, |points| points.min(MAX_POINTS))
            }
        }
    }
}

/// Parses a fixed number of points.
pub(crate) fn points(at: At<'_, '_>) -> Result<u64, Noted> {
    positive(at, MAX_POINTS)
}

/// The number × 10^`places`, if that is a whole number from 0 to `u64::MAX`.
fn decimal(at: At<'_, '_>, places: u32) -> Option<u64> {
    match at.value {
        // Very large and very small numbers print with an exponent. A second exponent then makes the text invalid.
        Value::Number(number) => Decimal::parse(&format!("{number}e{places}"))?.to_u64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::read;

    fn reward(text: &str) -> Result<Reward, Vec<String>> {
        read(text, Reward::parse)
            .map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect())
    }

    #[test]
    fn rewards_are_exact_and_rounded_down() {
        for (text, base, points) in [
            (r#"{"flat":7}"#, 0, 7),
            (r#"{"multiplier":2}"#, 10, 10),
            (r#"{"multiplier":1}"#, 10, 0),
            (r#"{"multiplier":2.5}"#, 3, 4),
            (r#"{"multiplier":1.000001}"#, 1_000_000, 1),
            (r#"{"percentage":55}"#, 10, 5),
            (r#"{"percentage":5.5e1}"#, 19, 10),
            (r#"{"percentage":0.0001}"#, 999_999, 0),
            (r#"{"percentage":0.0001}"#, 1_000_000, 1),
            // In floating point, 0.57 × 100 is 56.99…
            (r#"{"percentage":0.57}"#, 10_000, 57),
            (r#"{"multiplier":1000}"#, u64::MAX, MAX_POINTS),
        ] {
            assert_eq!(reward(text).map(|reward| reward.points(base)), Ok(points), "{text} of {base}");
        }
    }

    #[test]
    fn malformed_rewards_are_rejected() {
        for text in [
            "7",
            "{}",
            r#"{"flat":7,"percentage":5}"#,
            r#"{"flat":0}"#,
            r#"{"flat":-1}"#,
            r#"{"flat":1.5}"#,
            r#"{"flat":"7"}"#,
            r#"{"flat":1000000001}"#,
            r#"{"multiplier":0.999}"#,
            r#"{"multiplier":1000.1}"#,
            r#"{"multiplier":1.0000001}"#,
            r#"{"percentage":0}"#,
            r#"{"percentage":-5}"#,
            r#"{"percentage":100001}"#,
            r#"{"percentage":1e300}"#,
            r#"{"percentage":1e-300}"#,
            r#"{"percentage":0.00001}"#,
            r#"{"percentage":null}"#,
            r#"{"fixed":7}"#,
        ] {
            assert_eq!(reward(text).map_err(|faults| faults.len()), Err(1), "{text}");
        }
    }
}
