//! `punchcard export`, and the audit of what it wrote.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;
use punchcard_archive::{Folder, FolderError, Row, read};
use punchcard_store::{HistoryReader, LedgerReader, Pauses, RecordKind, StoredItem, TablePart};
use serde_json::{Value, json};

use super::{
    bare, bare_punchcard,
    customer::{erase, ids},
    punchcard,
};
use crate::support::{
    activities::{Programme, activity},
    app::App,
    customers::{self, Customer},
    proxy::Proxy,
};

/// A store with records of every kind, those of one customer erased.
async fn store() -> (Programme, Customer) {
    let mut programme = Programme::with(&customers::rules()).await;
    let ada = Customer::record(&programme, "ada").await;
    let bob = Customer::record(&programme, "bob").await;
    programme.apply(&customers::rules().replace("flat: 10", "flat: 11")).await;
    for number in 0..30 {
        programme
            .send_until_recorded(&format!("c-{}", number % 3), &format!("a-{number}"), &activity("APP_CHECKIN"))
            .await;
    }
    erase(&programme.app.store, &ids(&bob), Pauses::NONE).await.expect("erased");
    (programme, ada)
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a path")
}

/// All items of a table, ordered.
pub async fn items(app: &App, kind: RecordKind) -> Vec<StoredItem> {
    let page = LedgerReader::new(&app.store).items(TablePart::whole(kind), None).await.expect("a page");
    assert!(page.next.is_none());
    ordered(page.items)
}

pub fn archived(folder: &Path, kind: RecordKind) -> Vec<StoredItem> {
    let mut items = Vec::new();
    Folder::open(folder)
        .expect("an archive")
        .read(kind, |item| {
            items.push(item);
            Ok::<_, FolderError>(())
        })
        .expect("records");
    ordered(items)
}

fn ordered(mut items: Vec<StoredItem>) -> Vec<StoredItem> {
    items.sort_by_key(|item| (item.partition().map(str::to_owned), item.id().expect("an id").to_owned()));
    items
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn an_export_has_every_record_as_it_is_stored_and_its_audit_finds_no_differences() {
    let (programme, _) = store().await;
    let app = &programme.app;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    let said = punchcard(app, &["export", "--to", path(&to), "--json"]).await.json();
    for kind in RecordKind::ALL {
        let stored = items(app, kind).await;
        assert!(stored.len() > 3, "{kind}");
        assert_eq!(archived(&to, kind), stored, "{kind}");
        assert_eq!(said["records"][kind.to_string()], stored.len(), "{said}");
    }
    let applied = punchcard(app, &["catalog", "history", "--json"]).await.json();
    let applied = applied.as_array().expect("a list").len();
    assert_eq!((&said["catalogs"], &said["unreadable"]), (&json!(applied), &json!(0)));
    let files = files(&to);
    assert!(files.iter().all(|file| matches!(file.extension().and_then(|end| end.to_str()), Some("parquet" | "json"))));
    for file in &files {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600, "{}", file.display());
    }

    let audit = punchcard(app, &["audit", "--archive", path(&to), "--json"]).await;
    assert!(!audit.succeeded && audit.errors.contains("cannot be used with"), "an archive is no stack: {audit:?}");
    let audit = bare_punchcard(&["audit", "--archive", path(&to), "--json"]).await.json();
    let live = punchcard(app, &["audit", "--json"]).await.json();
    assert_eq!((&audit["records"], &audit["erased"]), (&live["records"], &live["erased"]));
    assert_eq!((&audit["differences"], &audit["members"]), (&json!(0), &json!(0)), "{audit}");
}

#[tokio::test]
async fn a_store_that_counts_slowly_is_exported_all_the_same() {
    let app = App::start().await;
    let proxy = Proxy::start(&app.endpoint).await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    proxy.hold("DescribeTable");
    let slow = app.through(&proxy.url).await;
    let counting = async {
        // Longer than any other read may take.
        tokio::time::sleep(Duration::from_secs(6)).await;
        proxy.let_go();
    };
    let arguments = ["export", "--to", path(&to), "--json"];
    let (said, ()) = tokio::join!(punchcard(&slow, &arguments), counting);
    assert!(said.succeeded, "{}", said.errors);
    assert!(proxy.count("DescribeTable") > 0);
}

#[tokio::test]
async fn a_table_without_records_has_a_file_without_rows() {
    let app = App::start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    let said = punchcard(&app, &["export", "--to", path(&to), "--json"]).await.json();
    assert_eq!(said["files"], RecordKind::ALL.len(), "{said}");
    for kind in RecordKind::ALL {
        let part = format!("/{kind}/");
        let file = files(&to).into_iter().find(|file| path(file).contains(&part)).expect("a file");
        assert_eq!(read(kind, fs::File::open(file).expect("a file")).expect("rows"), [], "{kind}");
        assert_eq!(archived(&to, kind).len(), 0, "{kind}");
    }
}

#[tokio::test]
async fn an_audit_of_an_archive_finds_an_award_that_was_changed() {
    let (programme, ada) = store().await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    assert!(punchcard(&programme.app, &["export", "--to", path(&to)]).await.succeeded);
    let file = files(&to).into_iter().find(|file| path(file).contains("/activities/")).expect("a file");
    let mut rows: Vec<Row> = read(RecordKind::Activities, fs::File::open(&file).expect("a file")).expect("rows");
    let row = rows.iter_mut().find(|row| row.text("record_id") == Some(&ada.id("survey"))).expect("the row");
    let tampered = row.text("item").expect("an item").replace(r#""total":19"#, r#""total":20"#);
    let item = StoredItem::from_json(RecordKind::Activities, &tampered).expect("an item");
    *row = Row::stored(&item, None, &HistoryReader::new(&programme.app.store)).await.expect("a row");
    fs::write(&file, punchcard_archive::write(RecordKind::Activities, &rows).expect("a file")).expect("written");
    let audit = bare_punchcard(&["audit", "--archive", path(&to)]).await;
    assert!(!audit.succeeded && audit.errors.contains("differences found: 1"), "{audit:?}");
    assert!(audit.output.contains(&ada.id("survey")), "{}", audit.output);
}

#[tokio::test]
async fn rows_of_an_export_have_the_award_by_offer() {
    let (programme, ada) = store().await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    assert!(punchcard(&programme.app, &["export", "--to", path(&to)]).await.succeeded);
    let file = files(&to).into_iter().find(|file| path(file).contains("/activities/")).expect("a file");
    let rows = read(RecordKind::Activities, fs::File::open(file).expect("a file")).expect("rows");
    let row = rows.iter().find(|row| row.text("record_id") == Some(&ada.id("survey"))).expect("the row");
    let awards: Value = serde_json::from_str(row.text("awards").expect("awards")).expect("JSON");
    let paid = awards.as_array().expect("a list").iter().map(|award| award["points"].as_i64().expect("points"));
    assert_eq!(row.cell("points"), Some(&punchcard_archive::Cell::Integer(Some(paid.sum()))));
    assert_eq!(row.text("member_id"), Some(&*format!("acct#{}", ada.id("account"))));
}

#[tokio::test]
async fn an_export_that_was_killed_continues_and_another_is_refused() {
    let (programme, _) = store().await;
    let app = &programme.app;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    let mut first = bare();
    first
        .args(["export", "--to", path(&to), "--read-units", "1"])
        .args(["--stack", app.prefix.trim_end_matches('-'), "--endpoint-url", &app.endpoint])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let mut first = first.spawn().expect("the command runs");
    let spool = to.join("unfinished-export.db");
    let parts = || {
        let database =
            rusqlite::Connection::open_with_flags(&spool, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        database.query_row("SELECT count(*) FROM parts", [], |row| row.get::<_, u32>(0)).ok()
    };
    tokio::time::timeout(Duration::from_secs(30), async {
        while parts().unwrap_or(0) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the first part is read");
    first.kill().await.expect("killed");
    let read = parts().expect("a database");
    assert!((1..12).contains(&read), "{read} parts were read: it was not interrupted");

    let other = punchcard(app, &["export", "--to", path(&to), "--parallel", "5"]).await;
    assert!(!other.succeeded && other.errors.contains("in 4 parts, not of"), "{}", other.errors);
    assert!(punchcard(app, &["export", "--to", path(&to)]).await.succeeded);
    for kind in RecordKind::ALL {
        assert_eq!(archived(&to, kind), items(app, kind).await, "{kind}");
    }
    assert!(!spool.exists());
    let again = punchcard(app, &["export", "--to", path(&to)]).await;
    assert!(!again.succeeded && again.errors.contains("is not empty"), "{}", again.errors);
}

#[tokio::test]
async fn an_export_while_requests_go_on_has_each_record_once() {
    let (programme, _) = store().await;
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("export");
    let before = items(&programme.app, RecordKind::Activities).await;
    let check_in = activity("APP_CHECKIN");
    let requests = (0..50).map(|number| {
        let (programme, check_in) = (&programme, &check_in);
        async move { programme.send_until_recorded("c-9", &format!("b-{number}"), check_in).await }
    });
    let export = async { punchcard(&programme.app, &["export", "--to", path(&to)]).await };
    let (_, said) = tokio::join!(join_all(requests), export);
    assert!(said.succeeded, "{}", said.errors);
    let exported = archived(&to, RecordKind::Activities);
    let after = items(&programme.app, RecordKind::Activities).await;
    let ids = |items: &[StoredItem]| items.iter().map(|item| item.id().expect("an id").to_owned()).collect::<Vec<_>>();
    let (before, exported, after) = (ids(&before), ids(&exported), ids(&after));
    assert!(exported.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(before.iter().all(|id| exported.contains(id)) && exported.iter().all(|id| after.contains(id)));
}
