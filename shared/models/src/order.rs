//! Orders, which are recorded as the event `place_order` of a player.

use crate::{
    api_version::ApiVersion,
    data::{self, Datum, Scalar},
    decimal::Decimal,
    fault::{Faults, Noted},
    ids::{self, OrderId},
    json::{self, At, Members, Value},
    player::{PERSONAL_MEMBERS, Player},
    player_events::{PlayerEvent, PlayerEvents},
    settings::ChannelMerging,
    timestamp::Timestamp,
};

/// The name of the event that an order is.
pub const ORDER_EVENT: &str = "place_order";

/// The member of an order with the amount that was paid.
pub const ORDER_PAID: &str = "totalPaid";

/// A valid order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The id, unique among the player's orders.
    pub id: OrderId,
    /// The player, and the order as its only event: the order's members are the metadata, except those that identify
    /// or describe the player and those that are `null`.
    pub events: PlayerEvents,
}

impl Order {
    /// Parses an order that arrives at `now`.
    ///
    /// Amounts may be strings, as the vendor's own samples have them. Those that are required become numbers, and the
    /// time becomes UTC, so that one order has one form.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse(
        body: At<'_, '_>,
        version: ApiVersion,
        merging: ChannelMerging,
        now: Timestamp,
    ) -> Result<Self, Noted> {
        let order = body.object()?;
        let player = Player::parse(&order, version, merging);
        let id = order.required("orderId", ids::parse_member);
        let date = order.required("orderDate", |at| Timestamp::parse(at, now));
        let paid = order.required(ORDER_PAID, amount);
        let price = match version {
            ApiVersion::V3 => order.required("totalPrice", amount).map(Some),
            // The vendor's reference for version 4 has it optional.
            ApiVersion::V4 => order.optional("totalPrice", amount),
        };
        let metadata = metadata(&order);
        let (id, date, paid, price): (OrderId, _, _, _) = (id?, date?, paid?, price?);
        let mut metadata = metadata?;
        for (name, value) in &mut metadata {
            let parsed = match name.as_str() {
                "orderDate" => Some(Scalar::String(date.to_string())),
                ORDER_PAID => Some(Scalar::Number(paid.clone())),
                "totalPrice" => price.clone().map(Scalar::Number),
                _ => None,
            };
            if let Some(parsed) = parsed {
                *value = Datum::One(parsed);
            }
        }
        let event = PlayerEvent { name: ORDER_EVENT.to_owned(), metadata };
        Ok(Order { id, events: PlayerEvents { player: player?, events: vec![event] } })
    }
}

/// Parses all members that are not personal.
fn metadata(order: &Members<'_, '_>) -> Result<data::OpenData, Noted> {
    let members = order.each(|name, at| {
        let is_left_out = PERSONAL_MEMBERS.contains(&name) || *at.value == Value::Null;
        if is_left_out { Ok(None) } else { data::parse_member(name, at).map(Some) }
    })?;
    Ok(members.into_iter().flatten().collect())
}

/// Parses an amount of money: a number that is not negative, or a string that is one.
pub(crate) fn amount(at: At<'_, '_>) -> Result<Decimal<'static>, Noted> {
    let number = match at.value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => number_in(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.filter(|number| !number.is_negative()).map(Decimal::into_owned);
    number.ok_or_else(|| at.invalid("must be a number that is not negative"))
}

/// Reads a number as JSON is read, with the same bounds.
fn number_in(text: &str) -> Option<Decimal<'static>> {
    let has_blanks = text.trim() != text;
    match json::read(text.as_bytes(), &Faults::default()) {
        Some(Value::Number(number)) if !has_blanks => Some(number.into_owned()),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency::PayloadDigest;

    const ORDER: &str =
        r#""orderId":"O-1","orderDate":"2024-10-16T10:13:29+02:00","totalPaid":"90.50","totalPrice":100"#;

    fn parse(body: &str, version: ApiVersion) -> Result<Order, Vec<String>> {
        let faults = Faults::default();
        let now = Timestamp::from_text("2024-10-16T12:00:00.000Z").expect("a time");
        let parsed =
            json::parse(body.as_bytes(), &faults, |body| Order::parse(body, version, ChannelMerging::None, now));
        faults.none_or(parsed).map_err(|faults| faults.into_iter().map(|fault| fault.to_string()).collect())
    }

    fn metadata(more: &str) -> String {
        let body = format!(r#"{{"playerUniqueId":"p",{ORDER}{more}}}"#);
        let order = parse(&body, ApiVersion::V3).unwrap_or_else(|faults| panic!("{body}: {faults:?}"));
        order.events.events_to_json().to_string()
    }

    #[test]
    fn an_order_is_an_event_whose_metadata_are_its_members() {
        let expected = r#"{"place_order":{"orderDate":"2024-10-16T08:13:29.000Z","orderId":"O-1","totalPaid":90.5,"totalPrice":100}}"#;
        assert_eq!(metadata(""), expected);
        let personal =
            r#","playerId":"x","customerId":"y","mobile":"+1","email":"a@b.example","playerAttributes":{"a":1}"#;
        assert_eq!(metadata(personal), expected);
        assert_eq!(metadata(r#","totalTax":null,"extra":null"#), expected);
        let more = r#","lineItems":{},"extra":{"k":"v"},"totalTax":"1""#;
        assert!(metadata(more).starts_with(r#"{"place_order":{"extra":{"k":"v"},"lineItems":{},"orderDate""#));
    }

    #[test]
    fn one_order_has_one_form() {
        let payload = |body: &str, version| {
            let order = parse(body, version).unwrap_or_else(|faults| panic!("{body}: {faults:?}"));
            PayloadDigest::of(&order.events.to_json(None))
        };
        let first = payload(&format!(r#"{{"playerUniqueId":"p",{ORDER}}}"#), ApiVersion::V3);
        let same = r#"{"customerId":"p","totalPrice":"1e2","totalPaid":90.5,"orderDate":"2024-10-16T08:13:29Z",
            "orderId":"O-1","guest":null}"#;
        assert_eq!(payload(same, ApiVersion::V4), first);
        for other in [ORDER.replace("O-1", "o-1"), ORDER.replace("90.50", "90.51"), format!(r#"{ORDER},"guest":false"#)]
        {
            assert_ne!(payload(&format!(r#"{{"playerUniqueId":"p",{other}}}"#), ApiVersion::V3), first, "{other}");
        }
    }

    #[test]
    fn every_fault_is_named() {
        assert_eq!(
            parse("{}", ApiVersion::V3),
            Err(["playerUniqueId", "orderId", "orderDate", "totalPaid", "totalPrice"]
                .map(|name| format!("{name} is required"))
                .into())
        );
        let without_price = r#"{"customerId":"p","orderId":"O-1","orderDate":"2024-10-16T08:13:29Z","totalPaid":0}"#;
        parse(without_price, ApiVersion::V4).expect("an order without a price");
        for (member, value) in [
            ("totalPaid", "-1"),
            ("totalPaid", "\"-1\""),
            ("totalPaid", "\"1e999\""),
            ("totalPaid", "\"\""),
            ("totalPaid", "\" 1\""),
            ("totalPaid", "true"),
            ("totalPrice", "[1]"),
            ("orderId", "5"),
            ("orderId", "\"\""),
            ("orderDate", "\"2024-10-16\""),
            ("orderDate", "\"2024-10-18T08:13:29Z\""),
        ] {
            let mut order: serde_json::Value =
                serde_json::from_str(&format!(r#"{{"playerUniqueId":"p",{ORDER}}}"#)).expect("JSON");
            order[member] = serde_json::from_str(value).expect("JSON");
            let faults = parse(&order.to_string(), ApiVersion::V3).expect_err(value);
            assert!(faults.len() == 1 && faults[0].starts_with(&format!("{member} must ")), "{faults:?}");
        }
    }
}
