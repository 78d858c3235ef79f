//! Differences between two catalogs, by setting and rule.
//!
//! Parsed catalogs are compared, so that another spelling of the same rule is not a change. The JSON documents supply
//! the values to display.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use punchcard_models::{
    fault::Faults,
    json::{self, Value},
    settings::{ChannelMerging, NegativeBalances, UnitStatus},
    timestamp::Timestamp,
};
use punchcard_rewards::Catalog;

/// The default points type of offers.
const POINTS_TYPE: &str = "loyalty";
/// Displayed for an absent member.
const ABSENT: &str = "(none)";

/// A catalog and its JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub catalog: &'a Catalog,
    pub json: &'a str,
}

/// The changes that turn one catalog into another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    settings: Vec<Edit>,
    rules: Vec<RuleChange>,
}

/// A changed setting or field. Changes of a list are added and removed items.
#[derive(Debug, PartialEq, Eq)]
enum Edit {
    Value { name: String, from: Option<Value<'static>>, to: Option<Value<'static>> },
    List { name: String, added: Vec<Value<'static>>, removed: Vec<Value<'static>> },
}

#[derive(Debug, PartialEq, Eq)]
struct RuleChange {
    section: Section,
    id: String,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Offers,
    Campaigns,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Added(Fields),
    Removed,
    Edited(Vec<Edit>),
}

/// A rule's members, nested ones by dotted names such as `limits.usesInTotal`.
type Fields = BTreeMap<String, Value<'static>>;
/// The rules of a document.
type Rules = BTreeMap<(Section, String), Fields>;

impl Difference {
    /// Compares two catalogs.
    pub(crate) fn of(before: Document<'_>, after: Document<'_>) -> Self {
        let mut settings = settings(before.catalog, after.catalog);
        settings.extend(budget_edits(before.json, after.json));
        Difference { settings, rules: rule_changes(before, after) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.rules.is_empty()
    }

    /// Returns the changes as a JSON array.
    pub(crate) fn to_json(&self) -> Value<'static> {
        let settings = self.settings.iter().map(|edit| {
            let mut members = edit.members();
            if let Some(first) = members.first_mut() {
                first.0 = Cow::Borrowed("setting");
            }
            Value::Object(members)
        });
        Value::Array(settings.chain(self.rules.iter().map(RuleChange::to_json)).collect())
    }
}

/// The format for terminals:
/// ```text
/// settings
///   ~ rewards: enabled → disabled
/// offers
///   - XYZ_BASE
///   ~ XYZ_SURVEY
///       reward.flat: 5 → 6
/// ```
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.settings.is_empty() {
            writeln!(f, "settings")?;
        }
        for edit in &self.settings {
            writeln!(f, "  {} {edit}", edit.sign())?;
        }
        let mut section = None;
        for rule in &self.rules {
            if section.replace(rule.section) != Some(rule.section) {
                writeln!(f, "{}", rule.section.name())?;
            }
            match &rule.change {
                Change::Removed => writeln!(f, "  - {}", rule.id)?,
                Change::Added(fields) => {
                    writeln!(f, "  + {}", rule.id)?;
                    for (name, value) in fields {
                        writeln!(f, "      {name}: {}", shown(value))?;
                    }
                }
                Change::Edited(edits) => {
                    writeln!(f, "  ~ {}", rule.id)?;
                    for edit in edits {
                        writeln!(f, "      {edit}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Edit {
    fn between(name: &str, from: Option<&Value<'static>>, to: Option<&Value<'static>>) -> Option<Self> {
        if from == to {
            return None;
        }
        let name = name.to_owned();
        if let (Some(Value::Array(from)), Some(Value::Array(to))) = (from, to) {
            let without = |items: &[Value<'static>], others: &[Value<'static>]| -> Vec<_> {
                let others: BTreeSet<_> = others.iter().map(Value::to_string).collect();
                items.iter().filter(|item| !others.contains(&item.to_string())).cloned().collect()
            };
            let (added, removed) = (without(to, from), without(from, to));
            // A list with the same items in another order is unchanged.
            let changed = !(added.is_empty() && removed.is_empty());
            return changed.then_some(Edit::List { name, added, removed });
        }
        Some(Edit::Value { name, from: from.cloned(), to: to.cloned() })
    }

    fn sign(&self) -> char {
        match self {
            Edit::Value { from: None, .. } => '+',
            Edit::Value { to: None, .. } => '-',
            Edit::Value { .. } | Edit::List { .. } => '~',
        }
    }

    fn members(&self) -> Vec<(Cow<'static, str>, Value<'static>)> {
        let member = |name: &'static str, value: &Value<'static>| (Cow::Borrowed(name), value.clone());
        let or_null = |value: &Option<Value<'static>>| value.clone().unwrap_or(Value::Null);
        match self {
            Edit::Value { name, from, to } => {
                vec![member("field", &string(name)), member("from", &or_null(from)), member("to", &or_null(to))]
            }
            Edit::List { name, added, removed } => vec![
                member("field", &string(name)),
                member("added", &Value::Array(added.clone())),
                member("removed", &Value::Array(removed.clone())),
            ],
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_absent = |value: &Option<Value<'static>>| value.as_ref().map_or_else(|| ABSENT.to_owned(), shown);
        match self {
            Edit::Value { name, from, to } => write!(f, "{name}: {} → {}", or_absent(from), or_absent(to)),
            Edit::List { name, added, removed } => {
                let signed = |sign: char, items: &[Value<'static>]| -> Vec<_> {
                    items.iter().map(|item| format!("{sign}{}", shown(item))).collect()
                };
                let items = [signed('+', added), signed('-', removed)].concat();
                write!(f, "{name}: {}", items.join(", "))
            }
        }
    }
}

impl RuleChange {
    fn to_json(&self) -> Value<'static> {
        let kind = match self.section {
            Section::Offers => "offer",
            Section::Campaigns => "campaign",
        };
        let (change, fields) = match &self.change {
            Change::Added(fields) => {
                let fields = fields.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone()));
                ("added", Some(Value::Object(fields.collect())))
            }
            Change::Removed => ("removed", None),
            Change::Edited(edits) => {
                let edits = edits.iter().map(|edit| Value::Object(edit.members()));
                ("changed", Some(Value::Array(edits.collect())))
            }
        };
        let mut members = vec![(Cow::Borrowed(kind), string(&self.id)), (Cow::Borrowed("change"), string(change))];
        members.extend(fields.map(|fields| (Cow::Borrowed("fields"), fields)));
        Value::Object(members)
    }
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Offers => "offers",
            Section::Campaigns => "campaigns",
        }
    }
}

/// The change of a time zone whose offsets are others now.
fn offsets(before: &Catalog, after: &Catalog) -> Option<Edit> {
    let is_changed = before.timezone() == after.timezone() && !before.has_zone_of(after);
    let to = || string(&format!("{}, with other offsets", after.timezone()));
    is_changed.then(|| Edit::Value {
        name: "timezone".to_owned(),
        from: Some(string(before.timezone())),
        to: Some(to()),
    })
}

fn settings(before: &Catalog, after: &Catalog) -> Vec<Edit> {
    let rewards = |catalog: &Catalog| string(if catalog.rewards_enabled() { "enabled" } else { "disabled" });
    let merging = |catalog: &Catalog| {
        string(match catalog.channel_merging() {
            ChannelMerging::None => "none",
            ChannelMerging::Mobile => "mobile",
            ChannelMerging::Email => "email",
        })
    };
    let negative = |catalog: &Catalog| {
        string(match catalog.negative_balances() {
            NegativeBalances::Allowed => "allowed",
            NegativeBalances::Refused => "refused",
        })
    };
    let channel = |catalog: &Catalog| catalog.default_channel().map(string);
    let timezone = |catalog: &Catalog| string(catalog.timezone());
    let sections = |catalog: &Catalog| list(catalog.sections().iter().map(String::as_str));
    let actions = |catalog: &Catalog| list(catalog.actions().iter().map(String::as_str));
    let mut edits = vec![
        Edit::between("rewards", Some(&rewards(before)), Some(&rewards(after))),
        Edit::between("defaultChannel", channel(before).as_ref(), channel(after).as_ref()),
        Edit::between("channelMerging", Some(&merging(before)), Some(&merging(after))),
        Edit::between("negativeBalances", Some(&negative(before)), Some(&negative(after))),
        Edit::between("timezone", Some(&timezone(before)), Some(&timezone(after))),
        offsets(before, after),
        Edit::between("sections", Some(&sections(before)), Some(&sections(after))),
        Edit::between("actions", Some(&actions(before)), Some(&actions(after))),
    ];
    let status = |catalog: &Catalog, unit: &str| {
        catalog.business_units().get(unit).map(|status| {
            string(match status {
                UnitStatus::Enabled => "enabled",
                UnitStatus::Disabled => "disabled",
            })
        })
    };
    let units: BTreeSet<_> = before.business_units().keys().chain(after.business_units().keys()).collect();
    edits.extend(units.into_iter().map(|unit| {
        let name = format!("businessUnits.{unit}");
        Edit::between(&name, status(before, unit).as_ref(), status(after, unit).as_ref())
    }));
    edits.into_iter().flatten().collect()
}

/// Compares the budgets of two documents, number by number.
fn budget_edits(before: &str, after: &str) -> impl Iterator<Item = Edit> {
    let budget = |json: &str| {
        let mut fields = Fields::new();
        if let Some(Value::Object(members)) = json::read(json.as_bytes(), &Faults::default()) {
            let budget = members.iter().filter(|(name, value)| name == "budget" && *value != Value::Null);
            budget.for_each(|(name, value)| flatten(name, value, &mut fields));
        }
        fields
    };
    let (before, after) = (budget(before), budget(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    names.into_iter().filter_map(move |name| Edit::between(&name, before.get(&name), after.get(&name)))
}

fn rule_changes(before: Document<'_>, after: Document<'_>) -> Vec<RuleChange> {
    let (old, new) = (rules(before.json), rules(after.json));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let parsed = |catalog: &Catalog| -> BTreeMap<String, _> {
        // Shares are no part of the document.
        let catalog = catalog.without_shares();
        catalog.rules().map(|rule| (rule.id().to_string(), rule.clone())).collect()
    };
    let (parsed_old, parsed_new) = (parsed(before.catalog), parsed(after.catalog));
    let change = |key: &(Section, String)| {
        let change = match (old.get(key), new.get(key)) {
            (None, None) => return None,
            (None, Some(fields)) => Change::Added(fields.clone()),
            (Some(_), None) => Change::Removed,
            (Some(_), Some(_)) if parsed_old.get(&key.1) == parsed_new.get(&key.1) => return None,
            (Some(from), Some(to)) => {
                let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
                Change::Edited(
                    names.into_iter().filter_map(|name| Edit::between(name, from.get(name), to.get(name))).collect(),
                )
            }
        };
        Some(RuleChange { section: key.0, id: key.1.clone(), change })
    };
    keys.into_iter().filter_map(change).collect()
}

/// Reads the rules of a valid catalog document.
fn rules(json: &str) -> Rules {
    let mut rules = Rules::new();
    let Some(Value::Object(members)) = json::read(json.as_bytes(), &Faults::default()) else { return rules };
    for (name, value) in members {
        let section = match &*name {
            "offers" => Section::Offers,
            "campaigns" => Section::Campaigns,
            _ => continue,
        };
        let Value::Array(items) = value else { continue };
        for item in items {
            let mut fields = Fields::new();
            if section == Section::Offers {
                fields.insert("pointsType".to_owned(), string(POINTS_TYPE));
            }
            flatten("", &item, &mut fields);
            if let Some(Value::String(id)) = fields.remove("id") {
                rules.insert((section, id.into_owned()), fields);
            }
        }
    }
    rules
}

fn flatten(name: &str, value: &Value<'_>, fields: &mut Fields) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.to_string() } else { format!("{name}.{member}") };
                flatten(&name, value, fields);
            }
        }
        Value::String(text) if name.starts_with("window.") => {
            // The same time has many spellings.
            let moment = Timestamp::from_text(text).map_or_else(|| text.to_string(), |moment| moment.to_string());
            fields.insert(name.to_owned(), string(&moment));
        }
        value => {
            fields.insert(name.to_owned(), owned(value));
        }
    }
}

fn owned(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(*value),
        Value::Number(number) => Value::Number(number.clone().into_owned()),
        Value::String(text) => string(text),
        Value::Array(items) => Value::Array(items.iter().map(owned).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (Cow::Owned(name.to_string()), owned(value))).collect())
        }
    }
}

fn string(text: &str) -> Value<'static> {
    Value::String(Cow::Owned(text.to_owned()))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Value<'static> {
    let sorted: BTreeSet<_> = items.collect();
    Value::Array(sorted.into_iter().map(string).collect())
}

/// Formats a value: plain words without quotes, anything else as JSON. Control characters are escaped.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::String(text) if text.chars().all(|c| c.is_alphanumeric() || "_.-:".contains(c)) && !text.is_empty() => {
            text.to_string()
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use punchcard_rewards::yaml;

    use super::*;

    fn difference(before: &str, after: &str) -> Difference {
        let (before, after) = (yaml::read(before).expect("a catalog"), yaml::read(after).expect("a catalog"));
        Difference::of(
            Document { catalog: before.catalog(), json: before.to_json() },
            Document { catalog: after.catalog(), json: after.to_json() },
        )
    }

    const BEFORE: &str = "
businessUnits: {XYZ: enabled, OLD: disabled}
offers:
  - {id: GONE, unit: XYZ, kind: base, reward: {flat: 1}}
  - id: KEPT
    unit: XYZ
    kind: targeted
    accounts: [A-1, A-2]
    window: {from: 2024-01-01T00:00:00Z}
    reward: {flat: 5}
    limits: {usesPerMember: 2}
campaigns:
  - {id: REVIEW, event: review, points: 5, conditions: [{field: stars, ge: 4}]}
";

    #[test]
    fn changes_are_shown_by_setting_and_rule_with_their_values() {
        let after = "
rewards: disabled
sections: [Lobby]
businessUnits: {XYZ: disabled, NEW: enabled}
offers:
  - {id: ADDED, unit: NEW, kind: bonus, reward: {multiplier: 1.5}}
  - id: KEPT
    unit: XYZ
    kind: targeted
    accounts: [A-2, A-3]
    window: {from: 2024-01-01T01:00:00+01:00}
    reward: {percentage: 10}
    pointsType: status
campaigns:
  - {id: REVIEW, event: review, points: 5, conditions: [{field: stars, ge: 5}]}
";
        let shown = "\
settings
  ~ rewards: enabled → disabled
  ~ sections: +Lobby
  + businessUnits.NEW: (none) → enabled
  - businessUnits.OLD: disabled → (none)
  ~ businessUnits.XYZ: enabled → disabled
offers
  + ADDED
      kind: bonus
      pointsType: loyalty
      reward.multiplier: 1.5
      unit: NEW
  - GONE
  ~ KEPT
      accounts: +A-3, -A-1
      limits.usesPerMember: 2 → (none)
      pointsType: loyalty → status
      reward.flat: 5 → (none)
      reward.percentage: (none) → 10
campaigns
  ~ REVIEW
      conditions: +{\"field\":\"stars\",\"ge\":5}, -{\"field\":\"stars\",\"ge\":4}
";
        let difference = difference(BEFORE, after);
        assert_eq!(difference.to_string(), shown);
        let json = difference.to_json().to_string();
        for part in [
            r#"{"from":"enabled","setting":"rewards","to":"disabled"}"#,
            r#"{"added":["Lobby"],"removed":[],"setting":"sections"}"#,
            r#"{"change":"removed","offer":"GONE"}"#,
            r#"{"field":"limits.usesPerMember","from":2,"to":null}"#,
            r#"{"change":"added","fields":{"kind":"bonus","pointsType":"loyalty","reward.multiplier":1.5,"unit":"NEW"},"offer":"ADDED"}"#,
        ] {
            assert!(json.contains(part), "{part}: {json}");
        }
    }

    #[test]
    fn another_spelling_is_not_a_change() {
        let same = "
rewards: enabled
channelMerging: none
actions: []
businessUnits: {OLD: disabled, XYZ: enabled}
campaigns:
  - {id: REVIEW, points: 5.0, event: review, conditions: [{field: stars, ge: 4}], limits: {}}
offers:
  - id: KEPT
    unit: XYZ
    kind: targeted
    accounts: [A-2, A-1]
    window: {from: 2024-01-01T01:00:00+01:00}
    reward: {flat: 5}
    pointsType: loyalty
    limits: {usesPerMember: 2}
  - {id: GONE, unit: XYZ, kind: base, reward: {flat: 1}}
";
        let difference = difference(BEFORE, same);
        assert!(difference.is_empty(), "{difference}");
        assert_eq!(difference.to_json().to_string(), "[]");
    }

    #[test]
    fn a_rule_that_becomes_a_campaign_is_removed_and_added() {
        let offer = "{businessUnits: {X: enabled}, offers: [{id: SAME, unit: X, kind: base, reward: {flat: 1}}]}";
        let campaign = "{businessUnits: {X: enabled}, campaigns: [{id: SAME, event: e, points: 1}]}";
        let shown = "offers\n  - SAME\ncampaigns\n  + SAME\n      event: e\n      points: 1\n";
        assert_eq!(difference(offer, campaign).to_string(), shown);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = difference("{}", r#"{"sections": ["a\u001b[2Jb"]}"#).to_string();
        assert_eq!(shown, "settings\n  ~ sections: +\"a\\u001b[2Jb\"\n");
    }
}
