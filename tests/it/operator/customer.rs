//! `punchcard customer`: exports and erasures.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use punchcard::{
    audit::{self, Scope},
    embedded,
    in_process::InProcess,
};
use punchcard_store::{EraseError, Eraser, LedgerReader, Pauses, PersonIds, PersonReader, Progress, Store};
use serde_json::{Value, json};

use super::{Said, bare, punchcard, run};
use crate::support::{
    activities::{Programme, activity, assert_invalid},
    app::App,
    customers::{Customer, TABLES, dump, erased, reasons, rules, with},
    proxy::Proxy,
};

const KEY: [u8; 32] = [7; 32];

/// Runs a command on the data of a directory.
async fn on_data(data: &Path, arguments: &[&str]) -> Said {
    let mut command = bare();
    command.args(arguments).args(["--demo", "--data"]).arg(data);
    run(command).await
}

pub fn ids(customer: &Customer) -> PersonIds {
    let mut ids = PersonIds::default();
    ids.accounts.insert(customer.id("account").parse().expect("an id"));
    ids.customers.insert(customer.id("customer").parse().expect("an id"));
    ids.players.insert(customer.id("merged").parse().expect("an id"));
    ids
}

pub async fn erase(store: &Store, ids: &PersonIds, pauses: Pauses) -> Result<(), EraseError> {
    let reader = PersonReader::new(store);
    let mut all = ids.clone();
    all.extend(reader.unfinished(ids).await?.unwrap_or_default());
    let person = reader.find(&all).await?;
    let eraser = Eraser::begin(store, &all, &person, Some("jane"), KEY, pauses, punchcard_runtime::now).await?;
    eraser.run(false, |_| {}).await
}

async fn assert_no_differences(app: &App) -> audit::Report {
    let mut differences = Vec::new();
    let report = audit::audit(&app.store, Scope::Store, |_| {}, |difference| differences.push(difference))
        .await
        .expect("an audit");
    assert_eq!(differences, []);
    report
}

async fn two_customers() -> (Programme, Customer, Customer) {
    let programme = Programme::with(&rules()).await;
    let (ada, bob) = (Customer::record(&programme, "ada").await, Customer::record(&programme, "bob").await);
    (programme, ada, bob)
}

#[tokio::test]
async fn an_export_has_every_item_of_a_customer_once_and_none_of_others() {
    let (programme, ada, _) = two_customers().await;
    let app = &programme.app;
    let found = [ada.id("correlation"), ada.id("customer"), ada.id("merged")];
    let export = ["customer", "export", &found[0], &found[1], &found[2]];
    let exported = punchcard(app, &export).await;
    assert!(exported.succeeded, "{}", exported.errors);
    let lines: BTreeSet<_> = exported.output.lines().collect();
    let expected = with(&dump(app).await, &ada.mark());
    assert_eq!((lines.len(), exported.output.lines().count()), (expected.len(), expected.len()), "{lines:#?}");
    assert!(!exported.output.contains("canary-bob-"));
    let records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let tables: BTreeSet<_> = records.iter().map(|line| line["table"].as_str().expect("a table")).collect();
    assert_eq!(tables, BTreeSet::from(TABLES));
    let record = |name: &str, id: &str| {
        let found = records.iter().find(|line| line["record"][name] == id).expect("a record");
        found["record"].clone()
    };
    let survey = record("activityId", &ada.id("survey"));
    assert_eq!(survey["earned"]["A"]["loyalty"]["total"], 19);
    assert_eq!((&survey["catalogVersion"], &survey["note"]), (&json!(2), &json!(ada.id("note"))));
    assert_eq!(survey["writeId"].as_str().map(str::len), Some(24), "16 bytes in base64");
    let is_account = |line: &&Value| line["table"] == "Members" && line["record"]["pts#A#loyalty"].is_number();
    assert_eq!(records.iter().filter(is_account).count(), 2, "the account, and what was sent before its session");
    assert!(record("recordId", &format!("order#{}", ada.id("order")))["response"].is_object());

    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("export.json");
    let to_file = ["--format", "json", "--out", file.to_str().expect("a path"), "--json"];
    let said = punchcard(app, &[&export[..], &to_file].concat()).await.json();
    assert_eq!(said["items"], expected.len());
    let array: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(array.as_array().map(Vec::len), Some(expected.len()));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "nothing temporary is left");
}

#[tokio::test]
async fn an_id_counts_in_every_role_or_in_the_one_that_is_named() {
    let (programme, ada, _) = two_customers().await;
    let app = &programme.app;
    let found = async |arguments: &[&str]| {
        let said = punchcard(app, &[&["customer", "erase", "--dry-run", "--json"], arguments].concat()).await.json();
        let roles = said["ids"].as_object().expect("roles").iter();
        roles.filter(|(_, ids)| ids != &&json!([])).map(|(role, _)| role.clone()).collect::<Vec<_>>()
    };
    let account = ["accounts", "correlationIds", "loyaltyIds"];
    for id in ["account", "correlation", "second-correlation"] {
        assert_eq!(found(&[&ada.id(id)]).await, account, "{id}");
    }
    assert_eq!(found(&["--account", &ada.id("account")]).await, account);
    assert_eq!(found(&["--player", &ada.id("merged")]).await, ["players"]);
    assert_eq!(found(&[&ada.id("customer")]).await, ["customers"]);
    for unknown in [&[ada.id("account")][..], &["unknown".to_owned(), "no id of a path".to_owned()]] {
        let role = if unknown.len() == 1 { "--player" } else { "--" };
        let arguments: Vec<_> =
            ["customer", "export", role].into_iter().chain(unknown.iter().map(|id| &**id)).collect();
        let mut said = bare();
        said.args(&arguments[..2]).args(["--stack", app.prefix.trim_end_matches('-'), "--endpoint-url", &app.endpoint]);
        said.args(&arguments[2..]).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let said = run(said).await;
        assert!(!said.succeeded && said.errors.contains("there is no customer with these ids"), "{said:?}");
    }
    let none = punchcard(app, &["customer", "erase"]).await;
    assert!(!none.succeeded && none.errors.contains("required"), "{none:?}");
}

#[tokio::test]
async fn a_dry_run_or_an_erasure_without_consent_changes_nothing() {
    let (programme, ada, _) = two_customers().await;
    let before = (dump(&programme.app).await, programme.app.items("Catalog").await.len());
    let id = ada.id("account");
    let said = punchcard(&programme.app, &["customer", "erase", &id, "--dry-run"]).await;
    assert!(said.succeeded && said.output.contains(&id) && said.output.contains("Activities"), "{said:?}");
    for more in [&[][..], &["--json"]] {
        let refused = punchcard(&programme.app, &[&["customer", "erase", &id][..], more].concat()).await;
        assert!(!refused.succeeded && refused.errors.contains("nothing was changed"), "{refused:?}");
    }
    assert_eq!((dump(&programme.app).await, programme.app.items("Catalog").await.len()), before);
    assert_eq!(punchcard(&programme.app, &["customer", "erasures"]).await.output, "There are no erasures.\n");
}

/// The texts that must be nowhere after the erasure of a customer.
async fn erased_texts(app: &App, customer: &Customer) -> Vec<String> {
    let mut texts = vec![customer.mark()];
    texts.extend((1..4).map(|number| customer.event_id(number)));
    for item in app.items("Activities").await {
        let text = |name: &str| item[name].as_s().expect("text").clone();
        if text("correlationId").contains(&customer.mark()) {
            texts.push(text("activityId"));
        }
    }
    for item in app.items("Sessions").await {
        if format!("{item:?}").contains(&customer.mark()) {
            texts.push(item["loyaltyId"].as_s().expect("text").clone());
        }
    }
    texts
}

fn assert_nowhere(data: &Path, texts: &[String]) {
    for file in fs::read_dir(data).expect("a directory") {
        let path = file.expect("a file").path();
        let bytes = fs::read(&path).expect("a file");
        for text in texts {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{} holds {text}", path.display());
        }
    }
}

#[tokio::test]
async fn nothing_of_an_erased_customer_is_left_and_a_late_retry_is_a_duplicate() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    let mut programme = Programme::on(App::start_in(data).await).await;
    programme.apply(&rules()).await;
    let (ada, bob) = (Customer::record(&programme, "ada").await, Customer::record(&programme, "bob").await);
    let audited = assert_no_differences(&programme.app).await;
    let texts = erased_texts(&programme.app, &ada).await;
    assert!(texts.len() > 9, "{texts:?}");
    let bobs = with(&dump(&programme.app).await, &bob.mark());
    programme.app.stop().await;

    let given = [ada.id("account"), ada.id("customer"), ada.id("player")];
    let command = ["customer", "erase", &given[0], &given[1], &given[2], "--offline", "--yes", "--json"];
    let erased = on_data(data, &command).await.json();
    assert_nowhere(data, &texts);
    let deleted = json!({"ClientEvents": 3, "Activities": 6, "PlayerEvents": 4, "Sessions": 2, "Members": 6});
    assert_eq!(erased["erasure"]["deleted"], deleted);
    assert!(erased["erasure"]["completedAt"].is_string(), "{erased}");
    let listed = on_data(data, &["customer", "erasures", "--json"]).await.json();
    assert_eq!(listed, json!([erased["erasure"]]));
    let again = on_data(data, &command).await;
    assert!(!again.succeeded && again.errors.contains("there is no customer"), "{again:?}");
    let audit = on_data(data, &["audit", "--json"]).await.json();
    let counts = ["records", "erased", "differences"].map(|name| audit[name].as_u64());
    assert_eq!(counts, [Some(audited.records), Some(10), Some(0)], "{audit}");

    let programme = Programme::on(App::start_in(data).await).await;
    let after = dump(&programme.app).await;
    assert_eq!(with(&after, &bob.mark()), bobs);

    // As they were sent before. A dry run gives the same answer, and nothing changes.
    let late = async || {
        let events = ada.send_events(&programme.app).await;
        assert_eq!((events.status.as_u16(), reasons(&events)), (409, vec![json!("DUPLICATE_ID"); 3]));
        assert_invalid(
            &programme.send(&ada.id("other"), &ada.id("survey"), &activity("APP_CHECKIN")).await,
            "ActivityID already exists",
        );
        let (correlation_id, key) = (ada.id("correlation"), ada.id("activity-key"));
        assert_eq!(programme.send_keyed(&correlation_id, &key, &activity("APP_DOWNLOAD")).await.status, 422);
        for refused in [ada.adjust(&programme).await, ada.reverse(&programme).await] {
            assert_eq!(refused.status, 409, "{}", refused.body);
        }
        let app = &programme.app;
        for refused in [ada.track(app, "player", "player-key").await, ada.order(app).await, ada.refund(app).await] {
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
    };
    late().await;
    assert_eq!(dump(&programme.app).await, after);

    // The person comes back as a new one, with a balance of its own.
    programme.tie(&ada.id("account"), &ada.id("correlation")).await;
    late().await;
    assert_eq!(programme.balances(&ada.id("correlation")).await, json!({}));
    let new = programme.send(&ada.id("correlation"), &ada.id("new"), &activity("APP_CHECKIN")).await;
    assert_eq!(new.status, 200, "{}", new.body);
    assert_eq!(ada.track(&programme.app, "player", "new-key").await.status, 200);
    assert_no_differences(&programme.app).await;
}

#[tokio::test]
async fn events_of_a_batch_that_were_not_erased_are_recorded() {
    let (mut programme, ada, _) = two_customers().await;
    let mut only_events = PersonIds::default();
    only_events.customers.insert(ada.id("customer").parse().expect("an id"));
    erase(&programme.app.store, &only_events, Pauses::NONE).await.expect("erased");
    programme.app.restart().await;
    let event = |id: &str| {
        json!({
            "clientEventId": id, "clientEventType": "SessionAction", "clientEvent": "LogEnrollment",
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
        })
    };
    let new = ["12395199-1565-4565-bf99-000000000001", "12395199-1565-4565-bf99-000000000002"];
    let customer = ada.id("customer");
    let session = programme.app.session(&customer).await;
    // Another content under an erased id is a duplicate too: what it was is not known any more.
    let mixed = session.post(&[event(new[0]), event(&ada.event_id(1)), event(new[1])]).await;
    assert_eq!((mixed.status.as_u16(), reasons(&mixed)), (207, vec![json!("DUPLICATE_ID")]));
    assert_eq!(mixed.json()["rejected"][0]["clientEventId"], ada.event_id(1));
    let again = session.post(&[event(new[0]), event(new[1])]).await;
    assert_eq!((again.status.as_u16(), reasons(&again)), (409, vec![json!("DUPLICATE_ID"); 2]));
}

#[tokio::test]
async fn an_erasure_that_is_killed_anywhere_is_continued_and_the_books_agree_at_every_moment() {
    let (whole, ada, _) = two_customers().await;
    erase(&whole.app.store, &ids(&ada), Pauses::NONE).await.expect("erased");

    let (killed, ada, _) = two_customers().await;
    let proxy = Proxy::start(&killed.app.endpoint).await;
    let store = Store::local(&proxy.url, &killed.app.prefix);
    let mut kills = 0;
    loop {
        // Each time it gets one transaction further.
        proxy.refuse_after("TransactWriteItems", kills);
        match erase(&store, &ids(&ada), Pauses::NONE).await {
            Ok(()) => break,
            Err(EraseError::Store(_)) => kills += 1,
            Err(EraseError::InUse) => panic!("nothing uses it"),
        }
        assert_no_differences(&killed.app).await;
    }
    assert!(kills > 8, "{kills}");
    assert_eq!(erased(&killed.app).await, erased(&whole.app).await);
    let erasures = [&killed, &whole].map(|programme| LedgerReader::new(&programme.app.store));
    let [killed, whole] = [erasures[0].erasures().await.expect("read"), erasures[1].erasures().await.expect("read")];
    assert_eq!((killed.len(), whole.len()), (1, 1), "one erasure, however often it was continued");
    assert_eq!((&killed[0].deleted, &killed[0].members), (&whole[0].deleted, &whole[0].members));
    assert!(killed[0].completed_at.is_some() && killed[0].ids.is_none());
}

#[tokio::test]
async fn a_lost_answer_moves_nothing_twice() {
    let (programme, ada, _) = two_customers().await;
    let proxy = Proxy::start(&programme.app.endpoint).await;
    let store = Store::local(&proxy.url, &programme.app.prefix);
    for _ in 0..12 {
        proxy.fail_next("TransactWriteItems", crate::support::proxy::Fault::AnswerLost);
    }
    erase(&store, &ids(&ada), Pauses::NONE).await.expect("erased");
    assert!(proxy.all_faults_happened());
    assert_no_differences(&programme.app).await;
    assert_eq!(with(&dump(&programme.app).await, &ada.mark()), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_sends_while_it_is_erased_is_credited_once_and_audited_meanwhile() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "BASE", "unit": "U", "kind": "base", "reward": {"flat": 10}, "limits": {"usesInTotal": 100000}},
        {"id": "DAILY", "unit": "U", "kind": "bonus", "reward": {"flat": 1}, "limits": {"usesPerMember": {"day": 1000}}},
        {"id": "THIRD", "unit": "U", "kind": "bonus", "reward": {"flat": 1}, "pointsType": "status", "every": 3}]}"#;
    let today =
        &crate::support::activities::with(activity("APP_CHECKIN"), "when", punchcard_runtime::now().to_string());
    let mut programme = Programme::with(catalog).await;
    // Functions know the key: another customer was erased before.
    programme.tie("account-0", "c-0").await;
    let one = |account: &str| {
        let accounts = BTreeSet::from([account.parse().expect("an id")]);
        PersonIds { accounts, ..PersonIds::default() }
    };
    erase(&programme.app.store, &one("account-0"), Pauses::NONE).await.expect("erased");
    programme.app.restart().await;

    let programme = &programme;
    programme.tie("account-1", "c-1").await;
    for number in 0..120 {
        assert_eq!(programme.send("c-1", &format!("old-{number}"), today).await.status, 200);
    }
    let done = AtomicBool::new(false);
    let writer = async |writer: usize| {
        let mut recorded = 0;
        for number in 0..60 {
            let id = format!("new-{writer}-{number}");
            let first = programme.send("c-1", &id, today).await.status;
            assert_eq!(first, 200, "{id}");
            recorded += 1;
            let old = format!("old-{}", (writer * 60 + number) % 120);
            for id in [&id, &old] {
                assert_eq!(programme.send("c-1", id, today).await.status, 400, "{id}");
            }
        }
        recorded
    };
    let audits = async {
        let mut audits = 0;
        while !done.load(Ordering::Relaxed) || audits == 0 {
            assert_no_differences(&programme.app).await;
            audits += 1;
        }
        audits
    };
    let erasing = async {
        // Longer than a request takes.
        let person = one("account-1");
        let pauses = Pauses { settle: Duration::from_secs(1), key_age: Duration::ZERO };
        let (writers, erased) =
            tokio::join!(join_all((0..2).map(writer)), erase(&programme.app.store, &person, pauses));
        done.store(true, Ordering::Relaxed);
        erased.expect("erased");
        writers.into_iter().sum::<i64>()
    };
    let (audits, recorded) = tokio::join!(audits, erasing);
    assert!(audits > 1, "{audits}");
    let report = assert_no_differences(&programme.app).await;
    assert!(report.erased >= 120 && !report.is_disturbed, "{report:?}");
    let members = programme.app.items("Members").await;
    let points = members.iter().filter_map(|item| item.get("pts#U#loyalty")?.as_n().ok()?.parse::<i64>().ok());
    assert_eq!(points.sum::<i64>(), 11 * (120 + recorded));
}

#[tokio::test]
async fn numbers_that_no_record_explains_stay_and_are_still_found_by_the_audit() {
    let (programme, ada, _) = two_customers().await;
    let app = &programme.app;
    let member = format!("acct#{}", ada.id("account"));
    app.set("Members", [("memberId", &member)], "pts#A#loyalty", AttributeValue::N("999".to_owned())).await;
    erase(&app.store, &ids(&ada), Pauses::NONE).await.expect("erased");
    assert_eq!(with(&dump(app).await, &ada.mark()), BTreeSet::new());
    let mut differences = Vec::new();
    audit::audit(&app.store, Scope::Store, |_| {}, |difference| differences.push(difference)).await.expect("an audit");
    let [audit::Difference::Member { name, stored: 1023, .. }] = &differences[..] else { panic!("{differences:?}") };
    assert_eq!(name, "pts#A#loyalty", "999, and 24 that corrections took away");
}

#[tokio::test]
async fn what_a_function_recorded_that_did_not_know_of_the_erasure_is_erased_too() {
    let (programme, ada, _) = two_customers().await;
    erase(&programme.app.store, &ids(&ada), Pauses::NONE).await.expect("erased");
    // Its functions have read the callers before there was a key.
    for answer in ada.requests(&programme).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_no_differences(&programme.app).await;
    erase(&programme.app.store, &ids(&ada), Pauses::NONE).await.expect("erased");
    let left = PersonReader::new(&programme.app.store).find(&ids(&ada)).await.expect("read");
    assert!(left.ids.accounts.is_empty() && left.ids.customers.is_empty(), "{left:?}");
    assert_no_differences(&programme.app).await;
}

#[tokio::test]
async fn offers_that_name_the_customer_are_reported_by_version() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    let said = punchcard(&programme.app, &["customer", "erase", "c-1", "--dry-run", "--json"]).await;
    assert!(said.errors.contains("version 1 of the catalog names this customer in XYZ_VIP"), "{}", said.errors);
    assert_eq!(said.json()["catalog"], json!({"1": ["XYZ_VIP"]}));
}

/// Records of the customer of the test below: `ERASED_RECORDS=10000` for the figures of `docs/performance.md`.
const RECORDS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_with_many_records_is_erased_in_large_transactions() {
    let records = std::env::var("ERASED_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(RECORDS);
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    let programme = Programme::on(App::start_in(data).await).await;
    programme.tie("account-1", "c-1").await;
    let send = async |number: usize| match number % 2 {
        0 => assert_eq!(programme.send("c-1", &format!("a-{number}"), &activity("APP_CHECKIN")).await.status, 200),
        _ => programme.app.did("p-1", "review").await,
    };
    for numbers in (0..records).collect::<Vec<_>>().chunks(8) {
        join_all(numbers.iter().copied().map(send)).await;
    }
    programme.app.stop().await;

    let database = embedded::open(data, embedded::DEMO_FILE).expect("a database");
    let store = embedded::store(InProcess::new(database)).await.expect("a store");
    let mut person = PersonIds::default();
    person.accounts.insert("account-1".parse().expect("an id"));
    person.players.insert("p-1".parse().expect("an id"));
    let found = PersonReader::new(&store).find(&person).await.expect("read");
    let begun = Eraser::begin(&store, &person, &found, None, KEY, Pauses::NONE, punchcard_runtime::now).await;
    let deletions = AtomicUsize::new(0);
    let count = |progress| {
        if let Progress::Deleted(1..) = progress {
            deletions.fetch_add(1, Ordering::Relaxed);
        }
    };
    let started = Instant::now();
    begun.expect("begun").run(true, count).await.expect("erased");
    let erased_after = started.elapsed();
    embedded::compact(&data.join(embedded::DEMO_FILE)).expect("compacted");
    let (deletions, took) = (deletions.into_inner(), started.elapsed());
    println!(
        "{records} records: {deletions} transactions that delete, {:.1} s, {:.1} s with the files rewritten",
        erased_after.as_secs_f64(),
        took.as_secs_f64()
    );
    // Pages end a transaction too. The sessions, the pointers and two members take four.
    assert!(deletions <= records / 40 + 10, "{deletions}");
    let report =
        audit::audit(&store, Scope::Store, |_| {}, |difference| panic!("{difference}")).await.expect("an audit");
    assert_eq!(usize::try_from(report.erased).expect("few"), records);
}
