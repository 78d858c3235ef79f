//! Systems that are broken on purpose, to see that the checker notices. The product's code stays as it is: its calls
//! and their answers are changed on the wire, so that both together do what the broken code would.

use std::{collections::HashSet, time::Duration};

use clap::ValueEnum;
use punchcard_rewards::counter_of_slot;
use serde_json::{Value, json};

use crate::{
    call::OneCall,
    store::{Reply, inserted, list, text},
    world::lock,
};

/// The time between the read and the write of a broken system.
const BETWEEN: Duration = Duration::from_millis(15);
/// The delay of a copy of a table, in milliseconds.
const LAG: u64 = 2_000;
/// In base64: the write of nobody.
const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

/// A system that is broken in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Variant {
    /// Records are written without the condition that they are new
    NoCondition,
    /// Balances and counters are read, added to, and written back
    ReadModifyWrite,
    /// A retry doesn't recognise its own write
    ForgottenWrite,
    /// A write is recognised by the request id that the client sent
    ClientsRequestId,
    /// Total limits are checked before the write, not in it
    CapOutside,
    /// A write that is throttled is taken for a duplicate
    ThrottleAsDuplicate,
    /// A write that was carried out is answered as one that was refused
    RefusedAfterWrite,
    /// The record and the balance are two writes, and the second may get lost
    TornTransaction,
    /// Reads are not strongly consistent
    StaleReads,
    /// The catalog is read once and never again
    KeptCatalog,
    /// Records don't say which counters their award assumed
    LostCounters,
    /// An activity is reversed whether or not it is already, and an order refunded whatever was refunded before
    ReversedTwice,
    /// A reversal or refund keeps the uses of total limits
    KeptUses,
    /// Corrections are recorded whether or not their reference was used
    ReferenceUnchecked,
    /// Counters of periods are written whatever they hold
    PeriodUnchecked,
}

/// Carries a call out, as the variant would.
pub(crate) async fn effect(call: &OneCall) -> Reply {
    let mut request = call.request.clone();
    let Some(variant) = call.world.variant else {
        return call.take_effect(&request);
    };
    match variant {
        Variant::NoCondition => without_condition(call, request),
        Variant::ReadModifyWrite => {
            let balance = list(&request["TransactItems"]).iter().position(|write| is_balance(&write["Update"]));
            if let Some(index) = balance {
                set_instead_of_add(call, &mut request["TransactItems"][index]["Update"]);
                tokio::time::sleep(BETWEEN).await;
            }
            call.take_effect(&request)
        }
        Variant::ForgottenWrite => {
            let mut reply = call.take_effect(&request);
            for_each_write_id(&mut reply.body, &mut |id| *id = json!({"B": NOBODY}));
            reply
        }
        Variant::ClientsRequestId => clients_request_id(call, request),
        Variant::CapOutside => cap_outside(call, request).await,
        Variant::TornTransaction => torn(call, request).await,
        Variant::StaleReads if call.operation == "GetItem" && is_new(call) => Reply::ok(json!({})),
        Variant::KeptCatalog if call.operation == "Query" => {
            let first = lock(&call.world.first_answers).get(&request.to_string()).cloned();
            first.unwrap_or_else(|| {
                let reply = call.take_effect(&request);
                lock(&call.world.first_answers).insert(request.to_string(), reply.clone());
                reply
            })
        }
        Variant::LostCounters => {
            for write in request.pointer_mut("/TransactItems").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(item) = write.pointer_mut("/Put/Item").and_then(Value::as_object_mut) {
                    item.remove("counters");
                }
            }
            call.take_effect(&request)
        }
        Variant::ReversedTwice => {
            let writes = request.pointer_mut("/TransactItems").and_then(Value::as_array_mut).into_iter().flatten();
            for update in writes.filter_map(|write| write.get_mut("Update")) {
                let is_mark = ["activityId", "recordId"].iter().any(|key| text(&update["Key"], key).is_some());
                if is_mark && let Some(update) = update.as_object_mut() {
                    update.remove("ConditionExpression");
                    // No value may be unused.
                    if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
                        values.remove(":last");
                    }
                }
            }
            let mut reply = call.take_effect(&request);
            if let Some(item) = reply.body["Item"].as_object_mut() {
                item.remove("reversedBy");
            }
            reply
        }
        Variant::KeptUses => {
            if matches!(text(&request["TransactItems"][0]["Put"]["Item"], "kind"), Some("reversal" | "refund"))
                && let Some(writes) = request["TransactItems"].as_array_mut()
            {
                let is_total =
                    |write: &Value| text(&write["Update"]["Key"], "memberId").is_some_and(|id| id.starts_with("cap#"));
                writes.retain(|write| !is_total(write));
            }
            call.take_effect(&request)
        }
        Variant::ReferenceUnchecked => {
            let is_correction = text(&request["TransactItems"][0]["Put"]["Item"], "kind").is_some();
            if is_correction
                && let Some(put) = request.pointer_mut("/TransactItems/0/Put").and_then(Value::as_object_mut)
            {
                put.remove("ConditionExpression");
                put.remove("ExpressionAttributeNames");
            }
            call.take_effect(&request)
        }
        Variant::PeriodUnchecked => {
            let writes = request.pointer_mut("/TransactItems").and_then(Value::as_array_mut).into_iter().flatten();
            for update in writes.filter_map(|write| write.get_mut("Update")) {
                let names = update["ExpressionAttributeNames"].as_object().into_iter().flatten();
                let mut attributes = names.filter_map(|(_, name)| name.as_str());
                if attributes.any(|name| counter_of_slot(name, 0).is_some())
                    && let Some(update) = update.as_object_mut()
                {
                    update.remove("ConditionExpression");
                }
                remove_unused(update);
            }
            call.take_effect(&request)
        }
        Variant::RefusedAfterWrite if !call.world.is_calm() && is_record(call) => {
            call.take_effect(&request);
            Reply::error(400, "ThrottlingException")
        }
        Variant::ThrottleAsDuplicate | Variant::RefusedAfterWrite | Variant::StaleReads | Variant::KeptCatalog => {
            call.take_effect(&request)
        }
    }
}

/// A throttled put, answered as if the item had been there.
pub(crate) fn refused_put(variant: Option<Variant>, operation: &str, request: &Value) -> Option<Reply> {
    (variant == Some(Variant::ThrottleAsDuplicate) && operation == "PutItem").then(|| {
        let mut reply = Reply::error(400, "ConditionalCheckFailedException");
        reply.body["Item"] = request["Item"].clone();
        for_each_write_id(&mut reply.body, &mut |id| *id = json!({"B": NOBODY}));
        reply
    })
}

/// Returns whether the item was put so recently that a copy of the table may lack it.
fn is_new(call: &OneCall) -> bool {
    let key = call.request["Key"].as_object().into_iter().flatten();
    let key: Vec<_> = key.collect();
    let recent = call.world.millis().saturating_sub(LAG);
    let history = call.world.history();
    let put = history.writes.iter().rev().take_while(|write| write.at >= recent);
    put.into_iter().any(|write| key.iter().all(|(name, value)| write.item[name.as_str()] == **value))
}

/// Every put overwrites what is there.
fn without_condition(call: &OneCall, mut request: Value) -> Reply {
    if call.operation == "BatchExecuteStatement" {
        let answers = list(&request["Statements"]).iter().filter_map(inserted).map(|(table, item)| {
            let put = OneCall {
                world: call.world.clone(),
                serving: call.serving.clone(),
                operation: "PutItem".to_owned(),
                request: json!({"TableName": table, "Item": item}),
            };
            put.take_effect(&put.request);
            json!({})
        });
        return Reply::ok(json!({"Responses": answers.collect::<Vec<_>>()}));
    }
    if call.operation == "PutItem" {
        unconditional(&mut request);
    }
    if let Some(record) = request.pointer_mut("/TransactItems/0/Put") {
        unconditional(record);
    }
    call.take_effect(&request)
}

fn unconditional(write: &mut Value) {
    if let Some(write) = write.as_object_mut() {
        for member in ["ConditionExpression", "ExpressionAttributeNames", "ReturnValuesOnConditionCheckFailure"] {
            write.remove(member);
        }
    }
}

/// Removes the names and values that an update's expressions do not use any more: no name or value may be unused.
fn remove_unused(update: &mut Value) {
    let expressions = ["UpdateExpression", "ConditionExpression"].map(|name| update[name].as_str().unwrap_or_default());
    let text = expressions.join(" ");
    let words: HashSet<_> = text.split(|char: char| !(char.is_ascii_alphanumeric() || "#:_".contains(char))).collect();
    let words: HashSet<_> = words.into_iter().map(str::to_owned).collect();
    for parts in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        if let Some(parts) = update[parts].as_object_mut() {
            parts.retain(|name, _| words.contains(name));
        }
    }
}

fn is_balance(update: &Value) -> bool {
    text(&update["Key"], "memberId").is_some_and(|id| !id.starts_with("cap#"))
}

/// `ADD #a :a` becomes `SET #a = :a`, with the sum as it is now.
fn set_instead_of_add(call: &OneCall, update: &mut Value) {
    let Some(expression) = update["UpdateExpression"].as_str().map(str::to_owned) else { return };
    let Some((set, adds)) = expression.split_once("ADD ") else { return };
    let read = OneCall {
        world: call.world.clone(),
        serving: call.serving.clone(),
        operation: "GetItem".to_owned(),
        request: json!({"TableName": update["TableName"], "Key": update["Key"], "ConsistentRead": true}),
    };
    let before = read.take_effect(&read.request).body["Item"].clone();
    let mut sets: Vec<_> = set.trim().trim_start_matches("SET ").split(", ").map(str::to_owned).collect();
    sets.retain(|set| !set.is_empty());
    for (index, add) in adds.split(", ").enumerate() {
        let Some((name, amount)) = add.split_once(' ') else { continue };
        let attribute = update["ExpressionAttributeNames"][name].as_str().unwrap_or_default();
        let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let sum = number(&before[attribute]) + number(&update["ExpressionAttributeValues"][amount]);
        sets.push(format!("{name} = :sum{index}"));
        update["ExpressionAttributeValues"][format!(":sum{index}")] = json!({"N": sum.to_string()});
        if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
            values.remove(amount);
        }
    }
    update["UpdateExpression"] = json!(format!("SET {}", sets.join(", ")));
}

/// Every `writeId` attribute.
fn for_each_write_id(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "writeId" { change(member) } else { for_each_write_id(member, change) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_write_id(item, change)),
        _ => {}
    }
}

/// Writes carry the client's request id instead of one of their own, and where that is found, it is taken for one's own.
fn clients_request_id(call: &OneCall, mut request: Value) -> Reply {
    let Some((serving, id)) = call.serving.as_ref().and_then(|it| Some((it, it.request_id.as_ref()?))) else {
        return call.take_effect(&request);
    };
    // A GUID's digits are base64 as well; so many are as many bytes as any.
    let digits: String = id.chars().filter(char::is_ascii_alphanumeric).take(21).collect();
    let clients = json!({"B": format!("{digits}Q==")});
    let replace = |own: &mut Value| *lock(&serving.write_id) = std::mem::replace(own, clients.clone());
    request.pointer_mut("/Item/writeId").into_iter().for_each(replace);
    let statements = request["Statements"].as_array_mut().into_iter().flatten();
    // The last parameter of each.
    statements.filter_map(|statement| statement["Parameters"].as_array_mut()?.last_mut()).for_each(replace);
    let mut reply = call.take_effect(&request);
    let own = lock(&serving.write_id).clone();
    for_each_write_id(&mut reply.body, &mut |found| {
        if *found == clients {
            *found = own.clone();
        }
    });
    reply
}

/// The total limits are read, and then written without a condition.
async fn cap_outside(call: &OneCall, mut request: Value) -> Reply {
    let writes = list(&request["TransactItems"]).to_vec();
    let mut checked = false;
    for (index, write) in writes.iter().enumerate() {
        let update = &write["Update"];
        let most = &update["ExpressionAttributeValues"][":most"];
        if most.is_null() || is_balance(update) {
            continue;
        }
        checked = true;
        let read = OneCall {
            world: call.world.clone(),
            serving: call.serving.clone(),
            operation: "GetItem".to_owned(),
            request: json!({"TableName": update["TableName"], "Key": update["Key"], "ConsistentRead": true}),
        };
        let there = read.take_effect(&read.request).body["Item"].clone();
        let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<u64>().ok());
        if number(&there["used"]).unwrap_or(0) > number(most).unwrap_or(0) {
            let reason = |other| {
                if other == index {
                    json!({"Code": "ConditionalCheckFailed", "Item": there})
                } else {
                    json!({"Code": "None"})
                }
            };
            return Reply::cancelled(&(0..writes.len()).map(reason).collect::<Vec<_>>());
        }
        let update = &mut request["TransactItems"][index]["Update"];
        if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
            values.remove(":most");
        }
        if let Some(update) = update.as_object_mut() {
            update.remove("ConditionExpression");
        }
        remove_unused(update);
    }
    if checked {
        tokio::time::sleep(BETWEEN).await;
    }
    call.take_effect(&request)
}

/// Returns whether a write records an activity or player events.
fn is_record(call: &OneCall) -> bool {
    let item = match call.operation.as_str() {
        "PutItem" => &call.request["Item"],
        "TransactWriteItems" => &call.request["TransactItems"][0]["Put"]["Item"],
        _ => return false,
    };
    ["activityId", "recordId"].iter().any(|key| item[key].is_object())
}

/// The record first, and then the rest: unless the handler ends in between.
async fn torn(call: &OneCall, request: Value) -> Reply {
    if call.operation != "TransactWriteItems" || !is_record(call) {
        return call.take_effect(&request);
    }
    let record = request["TransactItems"][0].clone();
    let part = |writes: Value| OneCall {
        world: call.world.clone(),
        serving: call.serving.clone(),
        operation: call.operation.clone(),
        request: json!({"TransactItems": writes}),
    };
    let first = part(json!([record]));
    let reply = first.take_effect(&first.request);
    if !reply.is_ok() {
        return reply;
    }
    tokio::time::sleep(BETWEEN).await;
    let second = part(list(&request["TransactItems"])[1..].iter().cloned().collect());
    second.take_effect(&second.request);
    // The broken system ignores the outcome.
    reply
}
