//! Policies: what each function may do to which items. `functions` compares them with the requests that are made.

use std::collections::BTreeSet;

use saphyr::Yaml;

use super::{argument, find, list, members, template_functions, text, texts};

/// A statement of a function's policy.
#[derive(Debug)]
pub struct Statement {
    pub actions: BTreeSet<String>,
    /// Tables, and indexes as `Table/index/Name`.
    pub tables: BTreeSet<String>,
    /// The partition keys that it is limited to; empty if to none.
    pub keys: BTreeSet<Keys>,
}

/// The partition keys that a condition allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keys {
    Exactly(String),
    StartingWith(String),
}

/// An action on an item, as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub action: String,
    pub table: String,
    pub key: String,
}

impl Keys {
    pub fn allow(&self, key: &str) -> bool {
        match self {
            Keys::Exactly(allowed) => key == allowed,
            Keys::StartingWith(prefix) => key.starts_with(prefix.as_str()),
        }
    }
}

impl Statement {
    pub fn allows(&self, used: &Use) -> bool {
        self.actions.contains(&used.action)
            && self.tables.contains(&used.table)
            && (self.keys.is_empty() || self.keys.iter().any(|keys| keys.allow(&used.key)))
    }
}

/// False for the statements of other services, which `streams` checks.
fn is_for_tables(node: &Yaml) -> bool {
    find(node, &["Action"]).is_some_and(|actions| texts(actions).iter().any(|action| action.starts_with("dynamodb:")))
}

/// The statements of a function's policies that are for tables.
pub fn statements(function: &str) -> Vec<Statement> {
    let policies = &template_functions()[function];
    let policies = list(policies, &["Properties", "Policies"]).iter();
    let statements = policies.flat_map(|policy| list(policy, &["Statement"]));
    statements.filter(|statement| is_for_tables(statement)).map(statement).collect()
}

fn statement(node: &Yaml) -> Statement {
    assert_eq!(text(node, &["Effect"]), "Allow");
    let actions: BTreeSet<_> = texts(find(node, &["Action"]).expect("actions")).into_iter().collect();
    for action in &actions {
        let name = action.strip_prefix("dynamodb:").unwrap_or_else(|| panic!("{action} is not DynamoDB's"));
        assert!(name.chars().all(char::is_alphabetic), "{action} is not one action");
    }
    let resource = &node["Resource"];
    let table = argument(resource, "GetAtt").and_then(Yaml::as_str).and_then(|arn| arn.strip_suffix(".Arn"));
    let index =
        || argument(resource, "Sub").and_then(Yaml::as_str)?.strip_prefix("${").map(|arn| arn.replace(".Arn}", ""));
    let table = table.map(str::to_owned).or_else(index).unwrap_or_else(|| panic!("{resource:?} is no table"));
    let mut keys = BTreeSet::new();
    for (operator, condition) in members(node, &["Condition"]) {
        for (variable, values) in members(condition, &[]) {
            assert_eq!(variable, "dynamodb:LeadingKeys");
            keys.extend(texts(values).into_iter().map(|value| match operator.as_str() {
                "ForAllValues:StringEquals" => Keys::Exactly(value),
                "ForAllValues:StringLike" => {
                    let prefix = value.strip_suffix("#*").unwrap_or_else(|| panic!("{value} is no kind of item"));
                    assert!(!prefix.contains(['*', '?']), "{value} is no kind of item");
                    Keys::StartingWith(format!("{prefix}#"))
                }
                _ => panic!("{operator} is not understood"),
            }));
        }
    }
    Statement { actions, tables: BTreeSet::from([table]), keys }
}

/// Other kinds of items of these tables are no business of a function: the private keys, other programmes' members.
#[test]
fn a_policy_for_a_table_of_several_kinds_of_items_names_the_kinds() {
    for function in template_functions().keys() {
        for statement in statements(function) {
            let mixed = statement.tables.iter().any(|table| table == "Catalog" || table == "Members");
            assert!(!mixed || !statement.keys.is_empty(), "{function} may touch every item: {statement:?}");
        }
    }
}

#[test]
fn only_functions_that_issue_tokens_read_private_keys() {
    let reads = |function: &str, part: &str| {
        let used = Use { action: "dynamodb:Query".to_owned(), table: "Catalog".to_owned(), key: part.to_owned() };
        statements(function).iter().any(|statement| statement.allows(&used))
    };
    let readers: BTreeSet<_> = template_functions().into_keys().filter(|function| reads(function, "private")).collect();
    assert_eq!(readers, BTreeSet::from(["issue-token".to_owned(), "start-session".to_owned()]));
}
