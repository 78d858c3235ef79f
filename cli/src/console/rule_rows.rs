//! Offers and campaigns as rows of a table and of a time line.

use std::collections::BTreeMap;

use punchcard_models::{settings::UnitStatus, timestamp::Timestamp};
use punchcard_rewards::{Catalog, Counter, Rule};
use punchcard_store::StoredTotal;
use serde_json::Value;

use super::text::percent;
use crate::numbers::grouped;

/// The width of the time line, in its own units.
const WIDTH: i64 = 1000;
/// The shortest bar that can be seen.
const MIN_BAR: i64 = 6;
/// The time line shows at least this many milliseconds before and after the present.
const AROUND_NOW: i64 = 90 * 86_400_000;
/// Number of dates on the time line.
const DATES: i64 = 5;

/// An offer or a campaign.
pub struct Row {
    /// Its id.
    pub id: String,
    /// `base`, `bonus`, `targeted` or `campaign`.
    pub kind: String,
    /// The business unit of an offer.
    pub unit: String,
    /// The actions or the event that it rewards.
    pub trigger: String,
    /// The reward: `10 points`.
    pub reward: String,
    /// Further conditions.
    pub conditions: Vec<String>,
    /// Its limits per member.
    pub limits: Vec<String>,
    /// The use of its total limit.
    pub total: Option<TotalUse>,
    /// The window, in words.
    pub window: String,
    /// `active`, `planned`, `ended` or `disabled`.
    pub state: &'static str,
    /// The start of its bar on the time line.
    pub x: i64,
    /// The length of its bar.
    pub width: i64,
}

/// The use of a total limit.
pub struct TotalUse {
    /// The uses.
    pub used: String,
    /// The limit.
    pub most: String,
    /// The share that was used.
    pub percent: u64,
}

/// The rules of a catalog.
pub struct Rows {
    /// The rules: first those that pay now.
    pub all: Vec<Row>,
    /// Dates at equal distances on the time line.
    pub dates: Vec<String>,
    /// The place of the present.
    pub now: i64,
}

struct Span {
    start: i64,
    end: i64,
}

impl Span {
    fn place(&self, at: i64) -> i64 {
        let width = i128::from(self.end - self.start).max(1);
        i64::try_from(i128::from(at - self.start) * i128::from(WIDTH) / width).unwrap_or(0).clamp(0, WIDTH)
    }
}

impl Rows {
    /// Describes the rules of a catalog. `source` is its JSON, and `totals` are the uses of total limits.
    pub fn new(catalog: &Catalog, source: &str, totals: &BTreeMap<String, StoredTotal>, now: Timestamp) -> Self {
        let document: Value = serde_json::from_str(source).unwrap_or_default();
        let section = |name: &str| document.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let rules: BTreeMap<String, Value> = section("offers")
            .into_iter()
            .chain(section("campaigns"))
            .filter_map(|rule| Some((rule.get("id")?.as_str()?.to_owned(), rule)))
            .collect();
        let bounds = rules.values().flat_map(|rule| window(rule).into_iter().flatten());
        let bounds: Vec<_> = bounds.map(Timestamp::as_millis).collect();
        let present = now.as_millis();
        let start = bounds.iter().copied().min().unwrap_or(present).min(present - AROUND_NOW);
        let end = bounds.iter().copied().max().unwrap_or(present).max(present + AROUND_NOW);
        let margin = (end - start) / 25;
        let span = Span { start: start - margin, end: end + margin };
        let row =
            |rule: &Rule| Row::new(rule, rules.get(&**rule.id()).unwrap_or(&Value::Null), catalog, totals, &span, now);
        let mut rows: Vec<_> = catalog.rules().map(row).collect();
        rows.sort_by_key(|row| (row.state != "active", row.kind == "campaign", row.unit.clone()));
        let dates = (0..DATES).map(|index| span.start + (span.end - span.start) * index / (DATES - 1));
        let dates = dates.map(|at| Timestamp::from_millis(at).to_string().chars().take(7).collect());
        Rows { all: rows, dates: dates.collect(), now: span.place(present) }
    }
}

impl Row {
    fn new(
        rule: &Rule,
        json: &Value,
        catalog: &Catalog,
        totals: &BTreeMap<String, StoredTotal>,
        span: &Span,
        now: Timestamp,
    ) -> Self {
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let [from, until] = window(json);
        let x = from.map_or(0, |from| span.place(from.as_millis()));
        let end = until.map_or(WIDTH, |until| span.place(until.as_millis()));
        let is_disabled = !catalog.rewards_enabled()
            || rule.unit().is_some_and(|unit| catalog.business_units().get(unit) == Some(&UnitStatus::Disabled));
        let state = match (from, until) {
            _ if is_disabled => "disabled",
            (_, Some(until)) if until <= now => "ended",
            (Some(from), _) if now < from => "planned",
            _ => "active",
        };
        Row {
            id: rule.id().to_string(),
            kind: if rule.is_campaign() { "campaign".to_owned() } else { text("kind") },
            unit: text("unit"),
            trigger: if rule.is_campaign() { text("event") } else { names(json, "actions", "any activity") },
            reward: reward(json),
            conditions: conditions(json),
            limits: limits(rule),
            total: rule.total_limit().map(|limit| {
                let used = rule.total_names().iter().filter_map(|name| totals.get(name)).map(|total| total.used).sum();
                TotalUse { used: grouped(used), most: grouped(limit), percent: percent(used, limit) }
            }),
            window: shown_window(from, until),
            state,
            x: x.min(WIDTH - MIN_BAR),
            width: (end - x).max(MIN_BAR),
        }
    }
}

fn window(rule: &Value) -> [Option<Timestamp>; 2] {
    ["from", "until"].map(|bound| Timestamp::from_text(rule.get("window")?.get(bound)?.as_str()?))
}

fn shown_window(from: Option<Timestamp>, until: Option<Timestamp>) -> String {
    let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
    match (from, until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {}", day(from)),
        (None, Some(until)) => format!("until {}", day(until)),
        (Some(from), Some(until)) => format!("{} to {}", day(from), day(until)),
    }
}

fn names(rule: &Value, member: &str, none: &str) -> String {
    let names = rule
        .get(member)
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    names.unwrap_or_else(|| none.to_owned())
}

fn reward(rule: &Value) -> String {
    if let Some(points) = rule.get("points").and_then(Value::as_u64) {
        return format!("{} points", grouped(points));
    }
    let reward = rule.get("reward").and_then(Value::as_object);
    match reward.and_then(|reward| reward.iter().next()) {
        Some((kind, value)) => match kind.as_str() {
            "flat" => format!("{} points", value.as_u64().map_or_else(|| value.to_string(), grouped)),
            "multiplier" => format!("base × {value}"),
            "percentage" => format!("{value} % of base"),
            _ => value.to_string(),
        },
        None => String::new(),
    }
}

fn conditions(rule: &Value) -> Vec<String> {
    let mut conditions = Vec::new();
    if rule.get("channels").is_some() {
        conditions.push(format!("channel {}", names(rule, "channels", "")));
    }
    for (member, what) in [("accounts", "account"), ("loyaltyIds", "loyalty id")] {
        if let Some(members) = rule.get(member).and_then(Value::as_array) {
            let plural = if members.len() == 1 { "" } else { "s" };
            conditions.push(format!("{} {what}{plural}", members.len()));
        }
    }
    if rule.get("first") == Some(&Value::Bool(true)) {
        conditions.push("the first only".to_owned());
    }
    if let Some(every) = rule.get("every") {
        conditions.push(format!("every {every} times"));
    }
    let tests = rule.get("conditions").and_then(Value::as_array);
    conditions.extend(tests.into_iter().flatten().map(condition));
    conditions
}

/// Describes a condition: `field total_amount gt 100`.
fn condition(test: &Value) -> String {
    let Some(members) = test.as_object() else { return test.to_string() };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let field = members.get("field").map(shown);
    let others = members.iter().filter(|(name, _)| *name != "field");
    let sign = |name: &String| match name.as_str() {
        "eq" => "=".to_owned(),
        "ne" => "≠".to_owned(),
        "gt" => ">".to_owned(),
        "ge" => "≥".to_owned(),
        "lt" => "<".to_owned(),
        "le" => "≤".to_owned(),
        other => other.to_owned(),
    };
    let tests: Vec<_> = others.map(|(name, value)| format!("{} {}", sign(name), shown(value))).collect();
    field.into_iter().chain(tests).collect::<Vec<_>>().join(" ")
}

fn limits(rule: &Rule) -> Vec<String> {
    let per_member = rule.caps().filter(|cap| cap.counter != Counter::TotalUses);
    let limit = |cap: punchcard_rewards::Cap| {
        let what = match (cap.counter, cap.limit) {
            (Counter::MemberPoints, 1) => "point",
            (Counter::MemberPoints, _) => "points",
            (_, 1) => "use",
            (_, _) => "uses",
        };
        let span = cap.per.map(|unit| format!(" a {}", unit.name())).unwrap_or_default();
        format!("{} {what}{span}", grouped(cap.limit))
    };
    per_member.map(limit).collect()
}

#[cfg(test)]
mod tests {
    use punchcard_rewards::yaml;

    use super::*;

    #[test]
    fn each_rule_of_the_demo_has_a_row_that_says_what_it_pays() {
        let demo = yaml::read(yaml::DEMO).expect("the demo");
        let now = Timestamp::from_text("2026-01-01T00:00:00Z").expect("a time");
        let totals = BTreeMap::from([("cap#ABC_LAUNCH".to_owned(), StoredTotal { used: 25, share: None })]);
        let rows = Rows::new(demo.catalog(), demo.to_json(), &totals, now);
        assert_eq!(rows.all.len(), demo.catalog().rules().count());
        let row = |id: &str| rows.all.iter().find(|row| row.id == id).expect("a row");
        let launch = row("ABC_LAUNCH");
        assert_eq!((launch.state, launch.window.as_str()), ("ended", "2024-01-01 to 2025-01-01"));
        assert_eq!(launch.total.as_ref().map(|total| total.percent), Some(25));
        assert!(launch.x > 0 && launch.x + launch.width < rows.now, "{} {} {}", launch.x, launch.width, rows.now);
        assert_eq!((row("OLD_BASE").state, row("XYZ_BASE").state), ("disabled", "active"));
        let rewards = ["XYZ_BASE", "XYZ_DOWNLOAD", "XYZ_VIP", "REVIEW"].map(|id| row(id).reward.clone());
        assert_eq!(rewards, ["10 points", "base × 2", "55 % of base", "5 points"]);
        assert_eq!(row("XYZ_VIP").limits, ["8 points"]);
    }
}
