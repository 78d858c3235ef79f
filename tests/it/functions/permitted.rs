//! The requests that the binaries make of the store, held against the policies of `template.yaml`: IAM would deny the
//! ones that no policy allows, and what no request needs is not to be allowed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{events, filled, prepare, record_activity, record_order};
use crate::{
    drift::{
        partition_keys,
        policies::{Use, statements},
    },
    support::{app::App, customers::erase_unknown_customer, lambda::Function, players::limited, proxy::Proxy},
};

/// A sample event, changed at one place and sent under a catalog: for requests that no sample leads to as it is.
struct Story {
    function: &'static str,
    /// The demo's, if there is none.
    catalog: Option<Value>,
    place: &'static str,
    value: Value,
    before: Before,
}

/// The records before a story.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// `activity-1` of `session-1`.
    Activity,
    /// A review of `player123`.
    Review,
    /// Order `O-900` of `player123`.
    Order,
}

/// More limits of a member than an update can name, so that the member is put whole.
fn many_limits(limit: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..60).map(limit).collect()
}

fn stories() -> Vec<Story> {
    let total = json!([limited("VISIT", "visit", 10, &json!({"usesInTotal": 5}))]);
    let once = json!({"usesPerMember": 1});
    let campaigns = many_limits(|number| limited(&format!("VISIT_{number}"), "visit", 1, &once));
    let offers = many_limits(|number| {
        let id = format!("OFFER_{number}");
        json!({"id": id, "unit": "UNIT", "kind": "bonus", "reward": {"flat": 1}, "limits": once})
    });
    let body = |function, catalog, body: Value| Story {
        function,
        catalog,
        place: "/body",
        value: json!(body.to_string()),
        before: Before::Nothing,
    };
    let visit = |by: &str, address: &str, campaigns: &Value| {
        let catalog = json!({"channelMerging": by, "campaigns": campaigns});
        body("track-event", Some(catalog), json!({"playerUniqueId": "p-1", by: address, "events": {"visit": {}}}))
    };
    let saved = |by: &str, address: &str| {
        let catalog = json!({"channelMerging": by});
        body("save-player", Some(catalog), json!({"playerUniqueId": "p-1", by: address}))
    };
    let ordered = |by: &str, address: &str, campaigns: Value| {
        let catalog = json!({"channelMerging": by, "campaigns": campaigns});
        let order = json!({
            "playerUniqueId": "p-1", by: address, "orderId": "O-1", "orderDate": "2024-10-01T07:00:00Z",
            "totalPaid": 90, "totalPrice": 100,
        });
        body("place-order", Some(catalog), order)
    };
    let order_limit = limited("ORDER", "place_order", 10, &json!({"usesInTotal": 5}));
    let order_campaigns = many_limits(|number| limited(&format!("ORDER_{number}"), "place_order", 1, &once));
    let previewed = |campaigns: Value| {
        let catalog = json!({"campaigns": campaigns});
        let story = body("preview-rewards", Some(catalog), json!({"customerId": "player123", "events": {"visit": {}}}));
        Story { before: Before::Review, ..story }
    };
    let total_offer = json!({
        "id": "TOTAL", "unit": "UNIT", "kind": "base", "reward": {"flat": 1}, "limits": {"usesInTotal": 5},
    });
    let voided = |catalog| {
        let story = body("void-activity", catalog, json!({"originalTransactionId": "activity-1"}));
        Story { before: Before::Activity, ..story }
    };
    let refunded = |catalog| {
        let refund = json!({
            "customerId": "player123", "refundTransactionId": "R-1", "reverseTransactionId": "O-900",
            "transactionTime": "2024-10-13T17:11:00Z",
        });
        Story { before: Before::Order, ..body("refund-order", Some(catalog), refund) }
    };
    let adjustment = json!({
        "channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": 5, "externalReferenceId": "t-9",
    });
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    vec![
        visit("email", "a@b.example", &total),
        visit("mobile", "+4915112345678", &total),
        visit("none", "", &json!(campaigns)),
        saved("email", "a@b.example"),
        saved("mobile", "+4915112345678"),
        ordered("email", "a@b.example", json!([order_limit.clone()])),
        ordered("mobile", "+4915112345678", json!([])),
        ordered("none", "", json!(order_campaigns.clone())),
        previewed(total.clone()),
        body("send-activity", Some(json!({"businessUnits": {"UNIT": "enabled"}, "offers": offers})), activity.clone()),
        // The demo has an offer with a total limit.
        body("send-activity", None, activity),
        // Total limits, and more counters than an update can name.
        voided(Some(json!({"businessUnits": {"UNIT": "enabled"}, "offers": [total_offer]}))),
        voided(Some(json!({"businessUnits": {"UNIT": "enabled"}, "offers": offers}))),
        refunded(json!({"campaigns": [order_limit]})),
        refunded(json!({"campaigns": order_campaigns})),
        // Tied to no account, and to one.
        body("adjust-balance", None, adjustment.clone()),
        Story { before: Before::Activity, ..body("adjust-balance", None, adjustment) },
        Story {
            function: "get-balances",
            catalog: None,
            place: "/pathParameters/correlation_id",
            value: json!("session-9"),
            before: Before::Nothing,
        },
    ]
}

/// The items that a request of DynamoDB touches. `keys` has the partition key of each table.
fn uses((operation, parameters): &(String, Value), prefix: &str, keys: &BTreeMap<String, String>) -> Vec<Use> {
    let used = |action: &str, table: &Value, key: &dyn Fn(&str) -> Option<String>| {
        let table = table.as_str().and_then(|table| table.strip_prefix(prefix)).expect("a table of the stack");
        let key = key(&keys[table]).unwrap_or_else(|| panic!("{action} without a key: {parameters}"));
        Use { action: format!("dynamodb:{action}"), table: table.to_owned(), key }
    };
    let text = |value: &Value| value["S"].as_str().map(str::to_owned);
    let one = |action: &str, write: &Value| {
        let item = if action == "PutItem" { &write["Item"] } else { &write["Key"] };
        used(action, &write["TableName"], &|key| text(&item[key]))
    };
    match operation.as_str() {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => vec![one(operation, parameters)],
        "Query" => {
            let condition = parameters["KeyConditionExpression"].as_str().expect("a condition");
            let values = &parameters["ExpressionAttributeValues"];
            let table = match (parameters["TableName"].as_str(), parameters["IndexName"].as_str()) {
                (Some(table), Some(index)) => json!(format!("{table}/index/{index}")),
                _ => parameters["TableName"].clone(),
            };
            vec![used("Query", &table, &|key| {
                let mut terms = condition.split(" AND ").filter_map(|term| term.split_once(" = "));
                terms.find(|(name, _)| *name == key).and_then(|(_, value)| text(&values[value]))
            })]
        }
        "BatchGetItem" => {
            let tables = parameters["RequestItems"].as_object().expect("tables");
            let items = tables.iter().flat_map(|(table, read)| {
                let keys = read["Keys"].as_array().expect("keys");
                keys.iter().map(move |item| (json!(table), item))
            });
            items.map(|(table, item)| used("BatchGetItem", &table, &|key| text(&item[key]))).collect()
        }
        "TransactWriteItems" => {
            let writes = parameters["TransactItems"].as_array().expect("writes").iter();
            let writes = writes.flat_map(|write| write.as_object().expect("a write"));
            let action = |kind: &str| match kind {
                "ConditionCheck" => "ConditionCheckItem".to_owned(),
                _ => format!("{kind}Item"),
            };
            writes.map(|(kind, write)| one(&action(kind), write)).collect()
        }
        "BatchExecuteStatement" => {
            let statements = parameters["Statements"].as_array().expect("statements").iter();
            let inserted = |statement: &Value| {
                let sql = statement["Statement"].as_str().expect("a statement");
                let insert = sql.strip_prefix("INSERT INTO \"").and_then(|sql| sql.split_once("\" VALUE {"));
                let (table, attributes) = insert.unwrap_or_else(|| panic!("{sql} is not understood"));
                used("PartiQLInsert", &json!(table), &|key| {
                    let key = format!("'{key}'");
                    let place = attributes.split(',').position(|attribute| attribute.trim().starts_with(&key))?;
                    text(&statement["Parameters"][place])
                })
            };
            statements.map(inserted).collect()
        }
        _ => panic!("{operation} is not understood"),
    }
}

/// The items that a function touches while it answers these events.
async fn used_for(name: &str, app: &App, events: &[String]) -> BTreeSet<Use> {
    let keys = partition_keys();
    let proxy = Proxy::start(&app.endpoint).await;
    let through = app.through(&proxy.url).await;
    // The app makes requests of its own when it starts.
    let before = proxy.calls().len();
    let mut function = Function::start(name, &through).await;
    for event in events {
        function.invoke(filled(event, app).await).await.expect("an answer");
    }
    function.end().await;
    proxy.calls().split_off(before).iter().flat_map(|call| uses(call, &app.prefix, &keys)).collect()
}

#[tokio::test]
async fn a_function_asks_the_store_for_what_its_policy_allows_and_for_no_less() {
    let mut used: BTreeMap<String, BTreeSet<Use>> = BTreeMap::new();
    for (name, cases) in events() {
        let app = App::start().await;
        prepare(&app).await;
        let events: Vec<_> = cases.into_iter().map(|case| case.event).collect();
        used.insert(name.clone(), used_for(&name, &app, &events).await);
    }
    for Story { function, catalog, place, value, before } in stories() {
        let app = match catalog {
            Some(catalog) => App::with_catalog(&catalog).await,
            None => App::start().await,
        };
        // So that it looks for what was erased.
        erase_unknown_customer(&app).await;
        match before {
            Before::Nothing => {}
            Before::Activity => record_activity(&app).await,
            Before::Review => {
                app.did("player123", "review").await;
            }
            Before::Order => record_order(&app).await,
        }
        let happy = format!("{function}.happy");
        let sample = events()[function].iter().find(|case| case.name == happy).expect(&happy).event.clone();
        let mut event: Value = serde_json::from_str(&sample).expect("JSON");
        *event.pointer_mut(place).expect("the place") = value;
        used.entry(function.to_owned()).or_default().extend(used_for(function, &app, &[event.to_string()]).await);
    }
    for (name, used) in used {
        let statements = statements(&name);
        for use_ in &used {
            assert!(statements.iter().any(|statement| statement.allows(use_)), "{name} would be denied: {use_:?}");
        }
        for statement in &statements {
            let used: Vec<_> = used.iter().filter(|use_| statement.allows(use_)).collect();
            for action in &statement.actions {
                assert!(used.iter().any(|use_| use_.action == *action), "{name} never needs {action}: {statement:?}");
            }
            for keys in &statement.keys {
                assert!(used.iter().any(|use_| keys.allow(&use_.key)), "{name} never needs {keys:?}: {statement:?}");
            }
        }
    }
}
