//! `publish-records` behind the tests' Runtime API, with records that the embedded store's streams delivered, and an
//! event bus.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_store::RecordKind;
use serde_json::{Value, json};

use crate::support::{
    activities::Programme,
    customers::{self, Customer},
    events::{Bus, in_order},
    lambda::Function,
    streams::{self, number},
};

/// The record tables' streams, and the function.
struct Publisher {
    programme: Programme,
    bus: Bus,
    function: Function,
}

impl Publisher {
    async fn start() -> Self {
        let programme = Programme::with(&customers::rules()).await;
        streams::turn_on(&programme.app).await;
        Customer::record(&programme, "ada").await;
        let bus = Bus::start().await;
        let variables = [("EVENT_BUS_NAME", Bus::NAME), ("EVENTBRIDGE_ENDPOINT", &bus.endpoint)];
        let function = Function::start_with("publish-records", &programme.app, &variables).await;
        Publisher { programme, bus, function }
    }

    async fn records(&self, kind: RecordKind) -> Vec<Value> {
        streams::records(&self.programme.app, kind).await
    }

    async fn deliver(&mut self, records: &[Value]) -> Option<String> {
        streams::deliver(&mut self.function, records).await
    }
}

/// The new records among those of a stream.
fn inserted(records: &[Value]) -> usize {
    records.iter().filter(|record| record["eventName"] == "INSERT").count()
}

#[tokio::test]
async fn every_new_record_gives_one_event_with_the_balance_after_it() {
    let mut publisher = Publisher::start().await;
    let mut kinds = BTreeSet::new();
    let members: BTreeMap<_, _> = publisher
        .programme
        .app
        .items("Members")
        .await
        .into_iter()
        .map(|item| (item["memberId"].as_s().expect("a key").clone(), item))
        .collect();
    for kind in RecordKind::ALL {
        let records = publisher.records(kind).await;
        assert!(inserted(&records) < records.len() || kind == RecordKind::ClientEvents, "{kind}: marks are changes");
        assert_eq!(publisher.deliver(&records).await, None);
        let details = publisher.bus.take();
        assert_eq!(details.len(), inserted(&records), "{kind}");
        let events = in_order(&details);
        assert_eq!(events.len(), details.len(), "{kind}: an id each");
        for detail in &details {
            kinds.insert(detail["kind"].as_str().expect("a kind").to_owned());
            let text = detail.to_string();
            for part in ["note", "value", "channel", "issuer", "mail", "mobile", "serve-token", "slot", "product"] {
                assert!(!text.contains(&format!("canary-ada-{part}")), "{part}: {detail}");
            }
            let Some(member) = detail["member"].as_str() else { continue };
            // A pointer's balance is its customer's.
            let number = |name: &str| -> i64 {
                let value = members.get(member).and_then(|item| item.get(name));
                value.map_or(0, |value| value.as_n().expect("a number").parse().expect("a number"))
            };
            assert!(members.get(member).is_none_or(|item| !item.contains_key("customer")), "{detail}");
            assert_eq!(detail["balance"]["version"], number("version"), "{detail}");
            match detail["balance"]["balances"].as_object() {
                None => assert_eq!(detail["balance"]["points"], number("points"), "{detail}"),
                Some(units) => {
                    for (unit, balances) in units {
                        for (points_type, points) in balances.as_object().expect("balances") {
                            assert_eq!(*points, number(&format!("pts#{unit}#{points_type}")), "{detail}");
                        }
                    }
                }
            }
        }
        // Delivered again, as after a crash of the function.
        assert_eq!(publisher.deliver(&records).await, None);
        assert_eq!(in_order(&publisher.bus.take()), events, "{kind}: the same ids, balances and versions");
    }
    let all = ["activity", "adjustment", "client-event", "order", "player-events", "refund", "reversal"];
    assert_eq!(kinds, all.map(str::to_owned).into());
    let log = publisher.function.end().await;
    assert!(log.contains("\"Published\""), "{log}");
}

#[tokio::test]
async fn entries_that_fail_are_sent_again_and_no_others() {
    let mut publisher = Publisher::start().await;
    let records = publisher.records(RecordKind::Activities).await;
    publisher.bus.refuse_entries(3);
    publisher.bus.break_calls(1);
    assert_eq!(publisher.deliver(&records).await, None);
    let details = publisher.bus.take();
    assert_eq!(details.len(), inserted(&records), "once each");
    let log = publisher.function.end().await;
    assert!(log.contains("events were not sent") && log.contains("events were not accepted"), "{log}");
}

#[tokio::test]
async fn a_bus_that_refuses_for_long_gets_the_batch_again_from_the_first_event_that_failed() {
    let mut publisher = Publisher::start().await;
    let records = publisher.records(RecordKind::PlayerEvents).await;
    let new: Vec<_> = records.iter().filter(|record| record["eventName"] == "INSERT").collect();
    let refused = new[1]["dynamodb"]["Keys"]["recordId"]["S"].as_str().expect("an id");
    publisher.bus.refuse(Some(refused));
    // Sent until the time for a batch is over, and the rest not held up.
    assert_eq!(publisher.deliver(&records).await, Some(number(new[1])));
    assert_eq!(publisher.bus.take().len(), new.len() - 1);
    publisher.bus.refuse(None);
    let rest = records.iter().position(|record| number(record) == number(new[1])).expect("the record");
    assert_eq!(publisher.deliver(&records[rest..]).await, None);
    assert_eq!(publisher.bus.take()[0]["id"], refused);
    publisher.function.end().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_reported_and_the_others_are_sent() {
    let mut publisher = Publisher::start().await;
    let records = publisher.records(RecordKind::Activities).await;
    let middle = records.iter().rposition(|record| record["eventName"] == "INSERT").expect("a record") / 2;
    let middle = (middle..records.len()).find(|index| records[*index]["eventName"] == "INSERT").expect("a record");
    for damage in ["dynamodb/NewImage/receivedAt", "dynamodb/NewImage/activityId", "eventSourceARN"] {
        let mut damaged = records.clone();
        *damaged[middle].pointer_mut(&format!("/{damage}")).expect("a place") = json!({"X": "canary"});
        assert_eq!(publisher.deliver(&damaged).await, Some(number(&records[middle])), "{damage}");
        assert_eq!(publisher.bus.take().len(), inserted(&records) - 1, "{damage}");
        // As Lambda goes on: with the record alone, then without it.
        assert_eq!(publisher.deliver(&damaged[middle..=middle]).await, Some(number(&records[middle])));
        assert_eq!(publisher.bus.take(), Vec::<Value>::new());
    }
    assert_eq!(publisher.deliver(&records[middle + 1..]).await, None);
    let log = publisher.function.end().await;
    assert!(log.contains("unreadable record") && !log.contains("canary"), "{log}");
}
