//! Refunds of orders, whole and in parts.

use std::{fmt, str::FromStr};

use crate::{
    decimal::{Decimal, Share},
    fault::Noted,
    ids::{self, OrderId, PlayerId, RefundId},
    json::At,
    order,
    timestamp::Timestamp,
};

/// The most that one refund may name. Sums of refunds stay exact.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;
/// The most decimals that the amount of a refund may have.
const MAX_DECIMALS: u64 = 9;
const WHOLE: &str = "whole";

/// A request to refund an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The id, unique among the player's refunds.
    pub id: RefundId,
    /// The player who placed the order.
    pub player: PlayerId,
    /// The order.
    pub order: OrderId,
    /// The time of the refund in the shop.
    pub time: Timestamp,
    /// The amount, more than 0. `None` for all that is left of the order.
    pub amount: Option<Decimal<'static>>,
}

impl Refund {
    /// Parses a request that arrives at `now`. Members that describe the customer or the goods are ignored.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse(body: At<'_, '_>, now: Timestamp) -> Result<Self, Noted> {
        let body = body.object()?;
        let player = body.required("customerId", ids::parse_member);
        let id = body.required("refundTransactionId", ids::parse_member);
        let order = body.required("reverseTransactionId", ids::parse_member);
        let time = body.required("transactionTime", |at| Timestamp::parse(at, now));
        let amount = body.optional("refundAmount", amount);
        Ok(Refund { id: id?, player: player?, order: order?, time: time?, amount: amount? })
    }
}

fn amount(at: At<'_, '_>) -> Result<Decimal<'static>, Noted> {
    let amount = order::amount(at)?;
    let is_ordinary = amount > Decimal::from(0) && amount <= Decimal::from(MAX_AMOUNT);
    if is_ordinary && amount.decimals() <= MAX_DECIMALS {
        return Ok(amount);
    }
    Err(at.invalid(format!("must be more than 0, at most {MAX_AMOUNT}, with at most {MAX_DECIMALS} decimals")))
}

/// The amount of an order that was refunded in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    /// Less than was paid.
    Part(Decimal<'static>),
    /// As much as was paid, or more.
    Whole,
}

impl Refunded {
    /// Nothing was refunded.
    #[must_use]
    pub fn nothing() -> Self {
        Refunded::Part(Decimal::from(0))
    }

    /// Returns the amount refunded in all after one more refund, of `amount` or of all that is left of `paid`.
    #[must_use]
    pub fn and(&self, amount: Option<&Decimal<'_>>, paid: &Decimal<'_>) -> Self {
        let (Refunded::Part(before), Some(amount)) = (self, amount) else { return Refunded::Whole };
        match before.checked_add(amount) {
            Some(sum) if sum < *paid => Refunded::Part(sum),
            // Amounts of refunds are limited, so their sum is exact.
            Some(_) | None => Refunded::Whole,
        }
    }

    /// Returns the share that the refunded amount is of `paid`.
    #[must_use]
    pub fn share_of(&self, paid: &Decimal<'_>) -> Share {
        match self {
            Refunded::Part(part) => Share::new(part, paid),
            Refunded::Whole => Share::ALL,
        }
    }

    /// Returns the amount of `paid` that is left, or all of it if the difference is not exact.
    #[must_use]
    pub fn left_of(&self, paid: &Decimal<'_>) -> Decimal<'static> {
        match self {
            Refunded::Part(part) => paid.checked_sub(part).unwrap_or_else(|| paid.clone().into_owned()),
            Refunded::Whole => Decimal::from(0),
        }
    }
}

/// The form in the store.
impl fmt::Display for Refunded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refunded::Part(amount) => amount.fmt(f),
            Refunded::Whole => f.write_str(WHOLE),
        }
    }
}

/// A text that is not the stored form of [`Refunded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRefunded;

impl fmt::Display for InvalidRefunded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be an amount or {WHOLE}")
    }
}

impl std::error::Error for InvalidRefunded {}

impl FromStr for Refunded {
    type Err = InvalidRefunded;

    fn from_str(text: &str) -> Result<Self, InvalidRefunded> {
        if text == WHOLE {
            return Ok(Refunded::Whole);
        }
        Decimal::parse(text).map(|amount| Refunded::Part(amount.into_owned())).ok_or(InvalidRefunded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{fault::Faults, json};

    fn parse(body: &serde_json::Value) -> Result<Refund, Vec<String>> {
        let faults = Faults::default();
        let now = Timestamp::from_text("2024-10-16T12:00:00.000Z").expect("a time");
        let parsed = json::parse(body.to_string().as_bytes(), &faults, |body| Refund::parse(body, now));
        faults.none_or(parsed).map_err(|faults| faults.into_iter().map(|fault| fault.to_string()).collect())
    }

    fn body() -> serde_json::Value {
        serde_json::json!({
            "customerId": "p", "refundTransactionId": "R-1", "reverseTransactionId": "O-1",
            "transactionTime": "2024-10-16T10:13:29+02:00",
        })
    }

    fn decimal(text: &str) -> Decimal<'_> {
        Decimal::parse(text).expect("a number")
    }

    #[test]
    fn a_refund_without_an_amount_is_of_all_that_is_left() {
        let mut request = body();
        assert_eq!(parse(&request).map(|refund| refund.amount), Ok(None));
        request["refundAmount"] = serde_json::Value::Null;
        assert_eq!(parse(&request).map(|refund| refund.amount), Ok(None));
        for (sent, amount) in [("15", "15"), ("\"15.50\"", "15.5"), ("0.000000001", "1e-9"), ("1e15", "1e15")] {
            request["refundAmount"] = serde_json::from_str(sent).expect("JSON");
            assert_eq!(parse(&request).map(|refund| refund.amount), Ok(Some(decimal(amount).into_owned())), "{sent}");
        }
    }

    #[test]
    fn every_fault_of_a_refund_is_named() {
        let required = ["customerId", "refundTransactionId", "reverseTransactionId", "transactionTime"];
        let missing = required.map(|name| format!("{name} is required")).into();
        assert_eq!(parse(&serde_json::json!({})), Err(missing));
        for (member, value) in [
            ("refundAmount", "0"),
            ("refundAmount", "-1"),
            ("refundAmount", "\"x\""),
            ("refundAmount", "1e16"),
            ("refundAmount", "0.0000000001"),
            ("refundAmount", "[1]"),
            ("transactionTime", "\"yesterday\""),
            ("reverseTransactionId", "5"),
            ("refundTransactionId", "\" \""),
        ] {
            let mut request = body();
            request[member] = serde_json::from_str(value).expect("JSON");
            let faults = parse(&request).expect_err(value);
            assert!(faults.len() == 1 && faults[0].starts_with(&format!("{member} must ")), "{faults:?}");
        }
    }

    #[test]
    fn refunds_add_up_to_what_was_paid() {
        let paid = decimal("100");
        let half = Refunded::nothing().and(Some(&decimal("50")), &paid);
        assert_eq!((half.to_string(), half.share_of(&paid).of(7)), ("50".to_owned(), 3));
        assert_eq!(half.and(None, &paid), Refunded::Whole);
        assert_eq!(half.and(Some(&decimal("49.99")), &paid).share_of(&paid).of(7), 6);
        for rest in ["50", "50.01", "1e15"] {
            assert_eq!(half.and(Some(&decimal(rest)), &paid), Refunded::Whole, "{rest}");
        }
        assert_eq!(Refunded::Whole.and(Some(&decimal("1")), &paid), Refunded::Whole);
        assert_eq!(Refunded::nothing().and(Some(&decimal("1")), &decimal("0")), Refunded::Whole);
        assert_eq!((half.left_of(&paid), Refunded::Whole.left_of(&paid)), (decimal("50"), decimal("0")));
        assert_eq!(Refunded::nothing().left_of(&decimal("1e300")), decimal("1e300"));
        for refunded in [half, Refunded::nothing(), Refunded::Whole] {
            assert_eq!(refunded.to_string().parse(), Ok(refunded));
        }
        assert_eq!("half".parse::<Refunded>(), Err(InvalidRefunded));
    }

    proptest! {
        #[test]
        fn the_parts_of_refunds_add_up_to_the_share_of_their_sum(
            award in 0u64..100_000,
            paid in 1u64..100_000,
            cents in proptest::collection::vec(1u64..1_000_000, 1..20),
        ) {
            let paid = Decimal::from(paid);
            let (mut refunded, mut reversed, mut sum) = (Refunded::nothing(), 0, 0);
            for amount in cents {
                let text = format!("{amount}e-2");
                let after = refunded.and(Some(&decimal(&text)), &paid);
                reversed += after.share_of(&paid).of(award) - refunded.share_of(&paid).of(award);
                refunded = after;
                sum += amount;
                let in_all = format!("{sum}e-2");
                prop_assert_eq!(reversed, Share::new(&decimal(&in_all), &paid).of(award));
                prop_assert!(reversed <= award);
            }
        }
    }
}
