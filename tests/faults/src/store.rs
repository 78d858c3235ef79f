//! The embedded store, called without a socket: an operation's JSON in, its answer out.

use std::collections::{BTreeMap, HashSet};

use dynoxide::Database;
use punchcard::in_process;
use serde_json::{Value, json};

/// A status and a body, as they go over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Reply { status: 200, body }
    }

    /// An error as DynamoDB tells it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "simulated"});
        Reply { status, body }
    }

    /// A transaction that was cancelled, for a reason a write.
    pub(crate) fn cancelled(reasons: &[Value]) -> Self {
        let mut reply = Reply::error(400, "TransactionCanceledException");
        reply.body["CancellationReasons"] = json!(reasons);
        reply
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status == 200
    }
}

/// Carries out an operation, in the calling thread: another one would make the order of things depend on its speed.
pub(crate) fn carry_out(database: &Database, operation: &str, request: &Value) -> Reply {
    let reply = in_process::call(database, operation, request.to_string().as_bytes());
    Reply { status: reply.status, body: serde_json::from_str(&reply.body).unwrap_or_default() }
}

/// The items that a request puts, if it is carried out: table and item.
pub(crate) fn puts(operation: &str, request: &Value) -> Vec<(String, Value)> {
    let put = |put: &Value| Some((put["TableName"].as_str()?.to_owned(), put["Item"].clone()));
    match operation {
        "PutItem" => put(request).into_iter().collect(),
        "TransactWriteItems" => list(&request["TransactItems"]).iter().filter_map(|write| put(&write["Put"])).collect(),
        _ => Vec::new(),
    }
}

/// The item that a statement of the form `INSERT INTO "table" VALUE {'name':?,…}` puts: table and item.
pub(crate) fn inserted(statement: &Value) -> Option<(String, Value)> {
    let text = statement["Statement"].as_str()?;
    let table = text.split('"').nth(1)?.to_owned();
    let names = text.split('\'').skip(1).step_by(2);
    let item = names.zip(list(&statement["Parameters"])).map(|(name, value)| (name.to_owned(), value.clone()));
    Some((table, Value::Object(item.collect())))
}

/// The items of an array, or none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Every item of a table, in the order of their text.
pub(crate) fn items(database: &Database, table: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut from = Value::Null;
    loop {
        let mut request = json!({"TableName": table, "ConsistentRead": true});
        if from.is_object() {
            request["ExclusiveStartKey"] = from;
        }
        let page = carry_out(database, "Scan", &request).body;
        items.extend_from_slice(list(&page["Items"]));
        from = page["LastEvaluatedKey"].clone();
        if from.is_null() {
            break;
        }
    }
    items.sort_by_key(Value::to_string);
    items
}

/// An item's text.
pub(crate) fn text<'i>(item: &'i Value, name: &str) -> Option<&'i str> {
    item[name]["S"].as_str()
}

/// An item's whole numbers, by name.
pub(crate) fn numbers(item: &Value) -> BTreeMap<String, i64> {
    let members = item.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value["N"].as_str()?.parse().ok()?))).collect()
}

/// Knows the transactions that are done, by their tokens: one that comes again changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Tokens(HashSet<String>);

impl Tokens {
    /// Returns whether this request changes something, after it was carried out.
    pub(crate) fn is_first(&mut self, request: &Value) -> bool {
        request["ClientRequestToken"].as_str().is_none_or(|token| self.0.insert(token.to_owned()))
    }
}
