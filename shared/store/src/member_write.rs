//! Writes of a member's balances and counters: one update, or one put if there are too many attributes for an update.

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_rewards::{MAX_PERIOD_LIMIT, Period, SlotChange, Spend, slot_of};

use crate::{
    item::{Attributes as _, Item, n, s, signed},
    ledger::{CUSTOMER, Expect, Target},
};

/// Maximum number of attributes in an update, whose expression is limited to 4 KB.
const MAX_NAMED_ATTRIBUTES: usize = 40;
/// The attribute that counts a member's writes.
pub(crate) const VERSION: &str = "version";

/// One write of a member.
pub(crate) struct MemberWrite<'a> {
    pub target: &'a Target,
    /// The last known item.
    pub known: Option<&'a Item>,
    /// Attribute names and the amounts to add to them.
    pub adds: Vec<(String, i64)>,
    /// Attribute names and the least values that they must have before.
    pub floors: Vec<(String, u64)>,
    /// Counters of periods and the amounts to give back.
    pub given_back: Vec<(String, u64)>,
}

/// An amount that is given back to the counter of a period.
struct SlotReturn {
    attribute: String,
    period: Period,
    amount: u64,
}

impl MemberWrite<'_> {
    /// Builds the write, on condition of the counter values that `spends` were evaluated with.
    pub(crate) fn write(self, table: &str, spends: &[&Spend<'_>]) -> Result<TransactWriteItem, BuildError> {
        let given_back = self.slot_returns();
        if self.adds.len() + self.floors.len() + given_back.len() + spends.len() > MAX_NAMED_ATTRIBUTES {
            return self.replace(table, spends);
        }
        let mut update = Update::builder()
            .table_name(table)
            .key("memberId", s(&self.target.member))
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":1", n(1))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let mut adds = vec!["#version :1".to_owned()];
        let mut conditions = match self.target.expect {
            Expect::Anything => Vec::new(),
            Expect::NoPointer => vec![format!("attribute_not_exists({CUSTOMER})")],
            Expect::New => vec!["attribute_not_exists(memberId)".to_owned()],
        };
        let mut sets = Vec::new();
        for (index, (name, value)) in self.target.first.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#f{index}"), name)
                .expression_attribute_values(format!(":f{index}"), value.clone());
            sets.push(format!("#f{index} = if_not_exists(#f{index}, :f{index})"));
        }
        for (index, (name, amount)) in self.adds.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{index}"), name)
                .expression_attribute_values(format!(":a{index}"), n(amount));
            adds.push(format!("#a{index} :a{index}"));
        }
        for (index, (name, least)) in self.floors.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#l{index}"), name)
                .expression_attribute_values(format!(":l{index}"), n(least));
            conditions.push(format!("#l{index} >= :l{index}"));
        }
        for (index, SlotReturn { attribute, period, amount }) in given_back.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#g{index}"), attribute)
                .expression_attribute_values(format!(":g{index}"), n(-signed(*amount)))
                .expression_attribute_values(format!(":gl{index}"), n(period.slot_value(*amount)))
                .expression_attribute_values(format!(":gm{index}"), n(period.slot_value(MAX_PERIOD_LIMIT)));
            adds.push(format!("#g{index} :g{index}"));
            conditions.push(format!("#g{index} BETWEEN :gl{index} AND :gm{index}"));
        }
        for (index, spend) in spends.iter().enumerate() {
            let SpendUpdate { set, add, condition, values } = SpendUpdate::of(spend, index);
            update = update.expression_attribute_names(format!("#s{index}"), spend.attribute());
            for (name, value) in values {
                update = update.expression_attribute_values(name, n(value));
            }
            sets.extend(set);
            adds.extend(add);
            conditions.push(condition);
        }
        let set = if sets.is_empty() { String::new() } else { format!("SET {} ", sets.join(", ")) };
        update = update.update_expression(format!("{set}ADD {}", adds.join(", ")));
        if !conditions.is_empty() {
            update = update.condition_expression(conditions.join(" AND "));
        }
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// Returns what can be given back to the counters of periods: all, as long as the item is not known. A slot that a
    /// later period has replaced has nothing to give back to.
    fn slot_returns(&self) -> Vec<SlotReturn> {
        let holds = |attribute: &str, period: Period, amount: u64| {
            let Some(known) = self.known else { return true };
            let value: u64 = known.number(attribute).unwrap_or(0);
            (period.slot_value(amount)..=period.slot_value(MAX_PERIOD_LIMIT)).contains(&value)
        };
        let returns = self.given_back.iter().filter_map(|(counter, amount)| {
            let (attribute, period) = slot_of(counter)?;
            holds(&attribute, period, *amount).then_some(SlotReturn { attribute, period, amount: *amount })
        });
        returns.collect()
    }

    /// Builds a put that replaces the whole member, on condition that its version is unchanged.
    fn replace(self, table: &str, spends: &[&Spend<'_>]) -> Result<TransactWriteItem, BuildError> {
        // A member that was deleted meanwhile has no attributes.
        let known = self.known.filter(|known| !known.is_empty());
        let mut item = known.cloned().unwrap_or_else(|| Item::from([("memberId".into(), s(&self.target.member))]));
        for (name, value) in &self.target.first {
            item.entry(name.clone()).or_insert_with(|| value.clone());
        }
        // Without an item there is nothing to give back to.
        let returns = if known.is_some() { self.slot_returns() } else { Vec::new() };
        let returned = returns.iter().map(|slot| (slot.attribute.clone(), -signed(slot.amount)));
        for spend in spends {
            if let Some(SlotChange::Start { value, .. }) = spend.slot_change() {
                item.insert(spend.attribute(), n(value));
            }
        }
        let added = spends.iter().filter(|spend| !spend.starts_period);
        let spent = added.map(|spend| (spend.attribute(), signed(spend.amount)));
        let changes = self.adds.iter().cloned().chain(returned).chain(spent);
        for (name, amount) in changes.chain([(VERSION.to_owned(), 1)]) {
            let before: i64 = item.number(&name).unwrap_or(0);
            item.insert(name, n(before.saturating_add(amount)));
        }
        let mut put = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        put = match known.map(|known| known.get(VERSION)) {
            None => put.condition_expression("attribute_not_exists(memberId)"),
            // The member was enrolled and not written since.
            Some(None) => put
                .condition_expression("attribute_not_exists(#version)")
                .expression_attribute_names("#version", VERSION),
            Some(Some(version)) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":version", version.clone()),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }
}

/// The parts that one spend adds to an update: expressions with the names `#s` and the values `:s`, `:l` and `:m` of its index.
struct SpendUpdate {
    set: Option<String>,
    add: Option<String>,
    condition: String,
    values: Vec<(String, u64)>,
}

impl SpendUpdate {
    fn of(spend: &Spend<'_>, index: usize) -> Self {
        let [name, value, least, most] = ["#s", ":s", ":l", ":m"].map(|prefix| format!("{prefix}{index}"));
        let (set, add) = (format!("{name} = {value}"), format!("{name} {value}"));
        match spend.slot_change() {
            Some(SlotChange::Start { value: first, before }) => SpendUpdate {
                set: Some(set),
                add: None,
                condition: format!("(attribute_not_exists({name}) OR {name} < {most})"),
                values: vec![(value, first), (most, before)],
            },
            Some(SlotChange::Add { least: lowest, most: highest }) => SpendUpdate {
                set: None,
                add: Some(add),
                condition: format!("{name} BETWEEN {least} AND {most}"),
                values: vec![(value, spend.amount), (least, lowest), (most, highest)],
            },
            None => {
                let (condition, bound) = match (spend.exact, spend.seen) {
                    // Uses that were given back leave a 0.
                    (true, 0) => (format!("(attribute_not_exists({name}) OR {name} = {most})"), 0),
                    (true, seen) => (format!("{name} = {most}"), seen),
                    (false, _) => (format!("(attribute_not_exists({name}) OR {name} <= {most})"), spend.most_before()),
                };
                SpendUpdate { set: None, add: Some(add), condition, values: vec![(value, spend.amount), (most, bound)] }
            }
        }
    }
}

/// The prefix of balance attributes, `pts#unit#type`.
pub(crate) const POINTS: &str = "pts#";

/// Returns the attribute name of a balance.
pub(crate) fn points_attribute(unit: &str, points_type: &str) -> String {
    format!("{POINTS}{unit}#{points_type}")
}

/// Parses a balance attribute into business unit, points type and points.
pub(crate) fn points_of(name: &str, value: &AttributeValue) -> Option<(String, String, i64)> {
    let (unit, points_type) = name.strip_prefix(POINTS)?.split_once('#')?;
    Some((unit.to_owned(), points_type.to_owned(), value.as_n().ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_was_deleted_is_put_as_a_new_one() {
        let target =
            Target { member: "acct#A".to_owned(), expect: Expect::Anything, first: Item::new(), others: Vec::new() };
        let adds = || (0..=MAX_NAMED_ATTRIBUTES).map(|number| (format!("use#{number}"), 1)).collect();
        // A failed condition returns no attributes of an item that does not exist.
        for known in [None, Some(&Item::new())] {
            let write =
                MemberWrite { target: &target, known, adds: adds(), floors: Vec::new(), given_back: Vec::new() };
            let put = write.write("Members", &[]).expect("a write").put.expect("a put");
            assert_eq!(put.item.text("memberId"), Some("acct#A"));
            assert_eq!(put.condition_expression.as_deref(), Some("attribute_not_exists(memberId)"));
        }
    }
}
