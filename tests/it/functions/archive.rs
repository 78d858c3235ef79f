//! `archive-records` behind the tests' Runtime API, with records that the embedded store's streams delivered, and a bucket.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use punchcard_archive::{Cell, Row, read};
use punchcard_store::{Pauses, RecordKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::operator::{
    bare_punchcard, customer,
    export::{archived, items},
};
use crate::support::{
    activities::Programme,
    app::App,
    bucket::{Bucket, Objects},
    customers::{self, Customer},
    lambda::Function,
    streams::{self, number},
};

/// The record tables' streams, and the function.
struct Archive {
    programme: Programme,
    bucket: Bucket,
    function: Function,
}

impl Archive {
    async fn start() -> Self {
        let programme = Programme::with(&customers::rules()).await;
        streams::turn_on(&programme.app).await;
        let bucket = Bucket::start().await;
        let variables = [("ARCHIVE_BUCKET", Bucket::NAME), ("S3_ENDPOINT", &bucket.endpoint)];
        let function = Function::start_with("archive-records", &programme.app, &variables).await;
        Archive { programme, bucket, function }
    }

    async fn records(&self, kind: RecordKind) -> Vec<Value> {
        streams::records(&self.programme.app, kind).await
    }

    /// Delivers a batch. Returns the sequence number of the failed record.
    async fn deliver(&mut self, records: &[Value]) -> Option<String> {
        streams::deliver(&mut self.function, records).await
    }
}

/// The rows of the files of a table.
fn rows(objects: &Objects, kind: RecordKind) -> Vec<Row> {
    let folder = format!("records/{kind}/day=");
    let files = objects.iter().filter(|(name, _)| name.starts_with(&folder));
    let rows = files.flat_map(|(name, content)| {
        let rows = read(kind, content.clone()).expect("a file");
        assert!(rows.iter().all(|row| name.starts_with(&format!("{folder}{}/", row.day))), "{name}");
        rows
    });
    rows.collect()
}

/// The last row of each record that was not removed, as its item.
fn latest(rows: &[Row]) -> BTreeSet<String> {
    let mut latest: BTreeMap<(String, String), &Row> = BTreeMap::new();
    for row in rows {
        let text = |name| row.text(name).unwrap_or_default().to_owned();
        let partition = text("customer_id") + &text("player_id");
        let entry = latest.entry((partition, text("record_id"))).or_insert(row);
        if row.text("sequence_number") > entry.text("sequence_number") {
            *entry = row;
        }
    }
    let kept = latest.into_values().filter(|row| !row.is_removed());
    kept.map(|row| row.text("item").expect("an item").to_owned()).collect()
}

/// The ids of a table's items.
async fn stored(app: &App, kind: RecordKind) -> BTreeSet<String> {
    let name = match kind {
        RecordKind::ClientEvents => "clientEventId",
        RecordKind::Activities => "activityId",
        RecordKind::PlayerEvents => "recordId",
    };
    let items = app.items(kind.table()).await;
    items.iter().map(|item| item[name].as_s().expect("text").clone()).collect()
}

fn ids(items: &BTreeSet<String>, kind: RecordKind) -> BTreeSet<String> {
    let name = match kind {
        RecordKind::ClientEvents => "clientEventId",
        RecordKind::Activities => "activityId",
        RecordKind::PlayerEvents => "recordId",
    };
    let id = |item: &String| {
        let item: Value = serde_json::from_str(item).expect("JSON");
        item[name].as_str().expect("an id").to_owned()
    };
    items.iter().map(id).collect()
}

#[tokio::test]
async fn the_archive_has_every_record_as_it_is_stored_and_a_batch_overwrites_itself() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    for kind in RecordKind::ALL {
        let records = archive.records(kind).await;
        assert_eq!(archive.deliver(&records).await, None);
        let objects = archive.bucket.take();
        let written = rows(&objects, kind);
        assert_eq!(written.len(), records.len(), "{kind}: every change is a row");
        let items = latest(&written);
        assert_eq!(ids(&items, kind), stored(&archive.programme.app, kind).await, "{kind}");
        // The last state: with the marks that corrections set later.
        let changed = match kind {
            RecordKind::ClientEvents => None,
            RecordKind::Activities => Some("reversedBy"),
            RecordKind::PlayerEvents => Some("lastRefund"),
        };
        let is_marked = |mark: &str| items.iter().any(|item| item.contains(&format!("\"{mark}\":")));
        assert!(changed.is_none_or(is_marked), "{kind}: {items:?}");

        // Delivered again, and in two halves.
        assert_eq!(archive.deliver(&records).await, None);
        let again = archive.bucket.take();
        let files = |objects: &Objects| -> Objects {
            objects.clone().into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect()
        };
        assert_eq!(files(&again), files(&objects), "{kind}");
        let (left, right) = records.split_at(records.len() / 2);
        for half in [left, right] {
            assert_eq!(archive.deliver(half).await, None);
        }
        let halves = rows(&archive.bucket.take(), kind);
        assert_eq!(halves.len(), written.len(), "{kind}: a split batch has names of its own");
        assert_eq!(latest(&halves), items, "{kind}");
    }
    archive.function.end().await;
}

#[tokio::test]
async fn awards_are_listed_by_offer_and_add_up_and_their_catalog_is_archived() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    let mut catalogs = BTreeSet::new();
    for kind in [RecordKind::Activities, RecordKind::PlayerEvents] {
        let records = archive.records(kind).await;
        archive.deliver(&records).await;
        let objects = archive.bucket.take();
        catalogs.extend(objects.keys().filter(|name| name.starts_with("records/catalogs/")).cloned());
        let mut paid = 0;
        for row in rows(&objects, kind) {
            let Some(awards) = row.text("awards") else { continue };
            let awards: Value = serde_json::from_str(awards).expect("JSON");
            let awards = awards.as_array().expect("a list");
            let sum = awards.iter().map(|award| award["points"].as_i64().expect("points")).sum::<i64>();
            assert_eq!(row.cell("points"), Some(&Cell::Integer(Some(sum))));
            paid += sum;
            for award in awards {
                assert!(award["offer"].is_string(), "{award}");
                assert_eq!(award["unit"].is_string(), kind == RecordKind::Activities, "{award}");
            }
        }
        assert!(paid > 0, "{kind}");
    }
    assert!(!catalogs.is_empty());
    archive.function.end().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_reported_and_the_others_are_archived() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    let mut records = archive.records(RecordKind::Activities).await;
    let middle = records.len() / 2;
    for damage in ["dynamodb/NewImage/receivedAt", "dynamodb/NewImage/activityId", "eventSourceARN"] {
        let mut damaged = records.clone();
        *damaged[middle].pointer_mut(&format!("/{damage}")).expect("a place") = json!({"X": "canary"});
        assert_eq!(archive.deliver(&damaged).await, Some(number(&records[middle])), "{damage}");
        assert_eq!(rows(&archive.bucket.take(), RecordKind::Activities).len(), records.len() - 1, "{damage}");
        // As Lambda goes on: from the record, then with the record alone, then without it.
        assert_eq!(archive.deliver(&damaged[middle..]).await, Some(number(&records[middle])));
        assert_eq!(rows(&archive.bucket.take(), RecordKind::Activities).len(), records.len() - middle - 1);
        assert_eq!(archive.deliver(&damaged[middle..=middle]).await, Some(number(&records[middle])));
        assert!(archive.bucket.take().is_empty());
    }
    let rest = records.split_off(middle + 1);
    assert_eq!(archive.deliver(&rest).await, None);
    assert!(archive.function.end().await.contains("unreadable record"));
}

/// The sizes in docs/operations.md, with ids and times of their own in each record.
#[tokio::test]
async fn a_thousand_records_fit_into_one_small_file_and_little_memory() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    for kind in RecordKind::ALL {
        let records = archive.records(kind).await;
        let sample = records.iter().find(|record| record["dynamodb"]["NewImage"].get("kind").is_none());
        let sample = sample.expect("a record").to_string();
        let id = |number: usize| Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()).to_string();
        let batch: Vec<Value> = (0..1000)
            .map(|number| {
                let mut record: Value = serde_json::from_str(&sample.replace("canary-ada", &id(number))).expect("JSON");
                let image = &mut record["dynamodb"]["NewImage"];
                for name in ["activityId", "recordId"] {
                    if let Some(value) = image.get_mut(name) {
                        *value = json!({"S": id(number + 1000)});
                    }
                }
                if let Some(event) = image.get_mut("clientEventId") {
                    *event = json!({"S": id(number + 1000)});
                }
                image["receivedAt"] =
                    json!({"S": format!("2026-01-31T10:{:02}:{:02}.{:03}Z", number / 60 % 60, number % 60, number)});
                record["dynamodb"]["SequenceNumber"] = json!((number + 1).to_string());
                record
            })
            .collect();
        assert_eq!(archive.deliver(&batch).await, None);
        let objects = archive.bucket.take();
        let files: Vec<_> = objects.iter().filter(|(name, _)| name.ends_with(".parquet")).collect();
        let [(_, file)] = files[..] else { panic!("{kind}: {} files", files.len()) };
        assert_eq!(rows(&objects, kind).len(), 1000);
        println!("{kind}: {} bytes a record in a file of 1,000", file.len() / 1000);
        assert!(file.len() < 1000 * 400, "{kind}: {} bytes", file.len());
    }
    let memory_kb = archive.function.peak_memory();
    println!("at most {memory_kb:?} KB");
    assert!(memory_kb.is_none_or(|memory_kb| memory_kb < 256 * 1024), "{memory_kb:?} KB");
    archive.function.end().await;
}

#[tokio::test]
async fn an_erased_record_leaves_rows_without_content() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    let before: BTreeMap<_, _> = {
        let mut before = BTreeMap::new();
        for kind in RecordKind::ALL {
            before.insert(kind, archive.records(kind).await.len());
        }
        before
    };
    for item in archive.programme.app.items("Activities").await {
        let id = item["activityId"].as_s().expect("text");
        archive.programme.app.remove("Activities", [("activityId", id)]).await;
    }
    let records = archive.records(RecordKind::Activities).await.split_off(before[&RecordKind::Activities]);
    assert_eq!(archive.deliver(&records).await, None);
    let objects = archive.bucket.take();
    let rows = rows(&objects, RecordKind::Activities);
    assert!(!rows.is_empty() && rows.len() == records.len() && rows.iter().all(Row::is_removed));
    for row in rows {
        assert!(row.text("record_id").is_some() && row.text("sequence_number").is_some());
        for name in ["item", "data", "member_id", "correlation_id", "awards"] {
            assert_eq!(row.text(name), None, "{name}");
        }
    }
    archive.function.end().await;
}

/// A copy of the bucket, in batches of few records, is read as the tables are: each record in its last state, and tombstones,
/// which change their day, once.
#[tokio::test]
async fn a_copy_of_the_bucket_has_what_the_tables_have_after_an_erasure() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    let bob = Customer::record(&archive.programme, "bob").await;
    customer::erase(&archive.programme.app.store, &customer::ids(&bob), Pauses::NONE).await.expect("erased");
    let copy = tempfile::tempdir().expect("a directory");
    for kind in RecordKind::ALL {
        let mut records = archive.records(kind).await;
        // As if the erasure was on the next day: pending tombstones are in the folder of that day.
        for record in &mut records {
            if let Some(created) = record.pointer_mut("/dynamodb/NewImage/createdAt/S") {
                *created = json!("2100-01-01T00:00:00.000Z");
            }
        }
        for batch in records.chunks(7) {
            assert_eq!(archive.deliver(batch).await, None);
        }
    }
    for (name, content) in archive.bucket.take() {
        let path = copy.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("written");
    }
    let pending = |kind: RecordKind| copy.path().join(format!("records/{kind}/day=2100-01-01")).is_dir();
    assert!(RecordKind::ALL.into_iter().all(pending), "no tombstone changed its day");
    for kind in RecordKind::ALL {
        assert_eq!(archived(copy.path(), kind), items(&archive.programme.app, kind).await, "{kind}");
    }
    let audit = bare_punchcard(&["audit", "--archive", copy.path().to_str().expect("a path")]).await;
    assert!(audit.succeeded && audit.output.contains(" 0 differences"), "{audit:?}");
    archive.function.end().await;
}

#[tokio::test]
async fn a_batch_that_the_bucket_refuses_is_repeated_from_its_first_record() {
    let mut archive = Archive::start().await;
    Customer::record(&archive.programme, "ada").await;
    let records = archive.records(RecordKind::ClientEvents).await;
    archive.bucket.refuse(1, StatusCode::FORBIDDEN, "AccessDenied");
    assert_eq!(archive.deliver(&records).await, Some(number(&records[0])));
    assert!(archive.bucket.take().is_empty());
    // The SDK repeats what may pass.
    archive.bucket.refuse(1, StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    assert_eq!(archive.deliver(&records).await, None);
    assert_eq!(rows(&archive.bucket.take(), RecordKind::ClientEvents).len(), records.len());
    assert_eq!(archive.deliver(&[]).await, None);
    assert!(archive.function.invoke(json!({"Records": [{"dynamodb": {}}]})).await.is_err(), "no sequence number");
    let log = archive.function.end().await;
    assert!(log.contains("refused: AccessDenied") && log.contains("\"Archived\":3"), "{log}");
}
