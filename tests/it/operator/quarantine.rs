//! The quarantine of `punchcard serve`, and `punchcard quarantine` on it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use punchcard::registry::HANDLERS;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Said, bare, file, run};
use crate::serve::Running;

const CHECKIN: &str = r#"{"action":"STORE_VISIT","channel":"APP","when":"2024-10-01T07:00:00Z","note":"canary-note"}"#;
const CATALOG: &str = "actions: [STORE_VISIT]\nbusinessUnits: {XYZ: enabled}\n";

/// A running `serve --demo --quarantine` with its directories.
struct Served {
    folder: TempDir,
    running: Running,
    client: reqwest::Client,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let running = Self::run(&folder, &[]).await;
        Served { folder, running, client: reqwest::Client::new() }
    }

    async fn run(folder: &TempDir, options: &[&str]) -> Running {
        let (data, quarantine) = (folder.path().join("data"), folder.path().join("quarantine"));
        let own = ["--demo", "--data", text(&data), "--quarantine", text(&quarantine)];
        Running::serve(&[&own[..], options].concat()).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, Value) {
        let mut request = self.client.post(format!("{}{path}", self.running.url())).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    async fn bearer(&self) -> String {
        let form = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let (status, body) = self.post("/oauth2/token", &[form_type], form).await;
        assert_eq!(status, 200, "{body}");
        format!("Bearer {}", body["access_token"].as_str().expect("a token"))
    }

    /// Posts an activity without an id.
    async fn send(&self, correlation_id: &str, body: &str) -> StatusCode {
        let bearer = self.bearer().await;
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.post(&format!("/client/users/{correlation_id}/activities"), &headers, body).await.0
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("quarantine")
    }

    /// The files, as soon as there are so many: they are written beside the requests.
    async fn files(&self, count: usize) -> BTreeMap<PathBuf, Vec<u8>> {
        for _ in 0..100 {
            let files = files(&self.directory());
            if files.len() == count && files.keys().all(|path| text(path).ends_with(".sealed")) {
                return files;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not {count}: {:?}", files(&self.directory()).keys());
    }

    async fn command(&self, arguments: &[&str]) -> Said {
        let data = self.folder.path().join("data");
        let mut command = bare();
        command.args(arguments).args(["--data", text(&data), "--demo"]);
        run(command).await
    }

    async fn quarantine(&self, arguments: &[&str]) -> Said {
        let directory = self.directory();
        self.command(&[&["quarantine"], arguments, &["--quarantine", text(&directory)]].concat()).await
    }

    async fn apply(&self, catalog: &str) {
        let catalog = file(catalog);
        let said = self.command(&["catalog", "apply", text(catalog.path()), "--yes"]).await;
        assert!(said.succeeded, "{}", said.errors);
    }

    /// The activities of a correlation id.
    async fn recorded(&self, correlation_id: &str) -> usize {
        let history = self.command(&["history", "--correlation", correlation_id, "--json"]).await.json();
        history["records"].as_array().expect("records").len()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.filter_map(|path| fs::read(&path).ok().map(|content| (path, content))).collect()
}

fn contains(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_request_is_kept_encrypted_and_recorded_once_when_the_catalog_is_corrected() {
    let served = Served::start().await;
    assert_eq!(served.send("c-1", CHECKIN).await, 400);
    let kept = served.files(1).await;
    for (path, content) in &kept {
        assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600);
        for readable in ["canary-note", "STORE_VISIT", "Action not found", "demo-secret", "Bearer", "content-type"] {
            assert!(!contains(content, readable), "{readable}");
        }
    }
    assert_eq!(fs::metadata(served.directory()).expect("a directory").permissions().mode() & 0o777, 0o700);

    let listed = served.quarantine(&["list"]).await;
    assert!(listed.output.contains("Action not found"), "{}", listed.output);
    let id =
        served.quarantine(&["list", "--json"]).await.json()["requests"][0]["id"].as_str().expect("an id").to_owned();
    let shown = served.quarantine(&["show", &id]).await;
    assert!(
        shown.output.contains(CHECKIN) && shown.output.contains("/client/users/c-1/activities"),
        "{}",
        shown.output
    );
    assert!(!shown.output.contains("Bearer") && !shown.output.contains("demo-secret"), "{}", shown.output);

    let refused = served.quarantine(&["replay", &id]).await;
    assert!(!refused.succeeded && refused.output.contains("Action not found"), "{}", refused.output);
    assert_eq!(served.recorded("c-1").await, 0);
    // Nor is it kept twice, by this process or the server.
    let url = served.running.url().to_owned();
    let refused = served.quarantine(&["replay", "--all", "--url", &url]).await;
    assert!(
        !refused.succeeded && refused.output.contains("0 accepted, 0 recorded before, 1 kept"),
        "{}",
        refused.output
    );
    assert_eq!(served.files(1).await, kept);

    served.apply(CATALOG).await;
    let accepted = served.quarantine(&["replay", "--all"]).await;
    assert!(accepted.succeeded, "{} {}", accepted.output, accepted.errors);
    assert!(accepted.output.contains("1 accepted, 0 recorded before, 0 kept"), "{}", accepted.output);
    assert_eq!(served.recorded("c-1").await, 1);
    assert!(files(&served.directory()).is_empty());
    let none = served.quarantine(&["show", &id]).await;
    assert!(!none.succeeded && none.errors.contains("it may have expired, or have been sent again"), "{}", none.errors);

    // As after a crash between the answer and the removal.
    for (path, content) in kept {
        fs::write(path, content).expect("written");
    }
    assert!(served.quarantine(&["replay", &id]).await.succeeded);
    assert_eq!(served.recorded("c-1").await, 1, "recorded once");
}

#[tokio::test]
async fn what_its_client_has_sent_again_meanwhile_is_recorded_before() {
    let served = Served::start().await;
    let bearer = served.bearer().await;
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = "/client/users/c-1/activities/a-1";
    assert_eq!(served.post(path, &headers, CHECKIN).await.0, 400);
    assert_eq!(served.post(path, &headers, &CHECKIN.replace("STORE_VISIT", "APP_CHECKIN")).await.0, 200);
    // The duplicate itself is not kept.
    assert_eq!(served.post(path, &headers, &CHECKIN.replace("STORE_VISIT", "APP_CHECKIN")).await.0, 400);
    served.files(1).await;
    served.apply(CATALOG).await;
    let said = served.quarantine(&["replay", "--all", "--json"]).await.json();
    assert_eq!((&said["alreadyRecorded"], &said["kept"]), (&json!(1), &json!(0)), "{said}");
    assert!(files(&served.directory()).is_empty());
}

#[tokio::test]
async fn requests_of_all_apis_get_the_credentials_that_they_need() {
    let served = Served::start().await;
    let json = ("content-type", "text/plain");
    let (key, secret_key) = (("apikey", "demo-api-key"), ("secretkey", "demo-secret-key"));
    let bearer = served.bearer().await;
    let credentials = r#"{"clientId":"demo-client","secret":"demo-secret"}"#;
    let customer = ("x-source-customer-id", "customer-1");
    let session = [customer, ("content-type", "application/json")];
    let (_, session) = served.post("/v2/session/startSession", &session, credentials).await;
    let session = format!("Bearer {}", session["sessionToken"].as_str().expect("a token"));
    let (activities, client_events) = (("authorization", bearer.as_str()), ("authorization", session.as_str()));
    for (path, headers) in [
        ("/v2/events/clientEvent", &[client_events, customer, json][..]),
        ("/client/users/A-1/sessions", &[activities, json]),
        ("/client/users/c-1/activities", &[activities, json]),
        ("/client/users/c-1/void", &[activities, json]),
        ("/client/users/c-1/adhoc-reward", &[activities, json]),
        ("/integrations/event", &[key, json]),
        ("/api/v4.0/integrations/customers", &[key, json]),
        ("/integrations/order", &[key, json]),
        ("/api/v4.0/integrations/transactions/refund", &[key, secret_key, json]),
    ] {
        assert_eq!(served.post(path, headers, "{}").await.0, 415, "{path}");
    }
    for (_, content) in served.files(9).await {
        for secret in ["demo-secret", "demo-api-key", "demo-secret-key", &bearer, &session] {
            assert!(!contains(&content, secret));
        }
    }
    let said = served.quarantine(&["replay", "--all", "--json"]).await;
    let said: Value = serde_json::from_str(&said.output).expect("JSON");
    let requests = said["requests"].as_array().expect("requests");
    assert_eq!(requests.len(), 9, "{said}");
    for request in requests {
        // Not 401.
        assert_eq!((&request["outcome"], &request["status"]), (&json!("refused"), &json!(415)), "{request}");
    }
}

#[tokio::test]
async fn strangers_cannot_fill_it() {
    let served = Served::start().await;
    for route in HANDLERS.iter().filter(|handler| handler.is_quarantined).map(|handler| handler.route) {
        for path in route.paths {
            let path = path.template.replace("{correlation_id}", "%FF").replace("{activity_id}", "a%20b");
            for headers in [&[][..], &[("authorization", "Bearer x"), ("apikey", "x"), ("secretkey", "x")]] {
                assert_eq!(served.post(&path, headers, "{").await.0, 401, "{path}");
            }
        }
    }
    // One that is kept comes after them in the queue.
    assert_eq!(served.send("c-1", CHECKIN).await, 400);
    served.files(1).await;
}

#[tokio::test]
async fn what_a_request_contains_does_not_reach_the_terminal() {
    let served = Served::start().await;
    let hostile = "{\"action\":\"\u{1b}[2J\u{202e}\",\"channel\":\"\u{9b}31m\r\"}";
    assert_eq!(served.send("%1B%5B2J", hostile).await, 400);
    served.files(1).await;
    let listed = served.quarantine(&["list"]).await;
    let id =
        served.quarantine(&["list", "--json"]).await.json()["requests"][0]["id"].as_str().expect("an id").to_owned();
    let shown = served.quarantine(&["show", &id]).await;
    let replayed = served.quarantine(&["replay", &id]).await;
    for said in [listed, shown, replayed] {
        let hidden = said.output.chars().find(|char| (char.is_control() && *char != '\n') || *char == '\u{202e}');
        assert_eq!(hidden, None, "{:?}", said.output);
        assert!(said.output.contains(&id), "{}", said.output);
    }
}

#[tokio::test]
async fn a_file_that_was_changed_or_is_of_another_store_is_named_and_hides_no_other() {
    let served = Served::start().await;
    for correlation_id in ["c-1", "c-2"] {
        assert_eq!(served.send(correlation_id, CHECKIN).await, 400);
    }
    let kept = served.files(2).await;
    let (first, content) = kept.first_key_value().expect("a file");
    let mut changed = content.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(first, changed).expect("written");
    let listed = served.quarantine(&["list"]).await;
    assert!(!listed.succeeded && listed.errors.contains("requests that cannot be read: 1"), "{}", listed.errors);
    assert!(listed.output.contains("it was changed, or encrypted with the key of another store"), "{}", listed.output);
    assert!(listed.output.contains("Action not found"), "{}", listed.output);

    // Nor does it keep others from being sent again.
    served.apply(CATALOG).await;
    let replayed = served.quarantine(&["replay", "--all"]).await;
    assert!(!replayed.succeeded && replayed.errors.contains("stay in the quarantine: 1"), "{}", replayed.errors);
    assert!(replayed.output.contains("unreadable, kept"), "{}", replayed.output);
    assert!(replayed.output.contains("1 accepted, 0 recorded before, 1 kept"), "{}", replayed.output);
    let (last, content) = kept.last_key_value().expect("a file");
    fs::write(last, content).expect("written");

    let other = Served::start().await;
    let directory = served.directory();
    let of_other = other.command(&["quarantine", "list", "--quarantine", text(&directory)]).await;
    assert!(!of_other.succeeded && of_other.errors.contains("requests that cannot be read: 2"), "{}", of_other.errors);
}

#[tokio::test]
async fn a_killed_server_leaves_whole_files() {
    let mut served = Served::start().await;
    let bearer = served.bearer().await;
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let directory = served.directory();
    let written = || files(&directory).keys().filter(|path| text(path).ends_with(".sealed")).count();
    let sending = async {
        while written() < 5 {
            served.post("/client/users/c-1/activities", &headers, CHECKIN).await;
        }
    };
    // The files of the last requests are still to be written.
    tokio::time::timeout(Duration::from_secs(20), sending).await.expect("files");
    served.running.kill().await;
    let written = written();
    served.running = Served::run(&served.folder, &[]).await;
    let listed = served.quarantine(&["list", "--json"]).await.json();
    assert_eq!(listed["requests"].as_array().expect("requests").len(), written, "{listed}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_changes_no_answer() {
    let served = Served::start().await;
    assert_eq!(served.send("c-1", CHECKIN).await, 400);
    served.files(1).await;
    fs::remove_dir_all(served.directory()).expect("removed");
    for number in 0..3 {
        assert_eq!(served.send(&format!("c-{number}"), CHECKIN).await, 400);
    }
    assert_eq!(served.send("c-1", &CHECKIN.replace("STORE_VISIT", "APP_CHECKIN")).await, 200);
    let log = served.running.end().await;
    assert_eq!(log.matches("not quarantined").count(), 3, "{log}");
}

#[tokio::test]
async fn entries_of_an_erased_customer_are_named_and_can_be_discarded() {
    let served = Served::start().await;
    for correlation_id in ["c-1", "c-2"] {
        assert_eq!(served.send(correlation_id, CHECKIN).await, 400);
    }
    assert_eq!(served.send("c-1", &CHECKIN.replace("STORE_VISIT", "APP_CHECKIN")).await, 200);
    served.files(2).await;
    let erased = served.command(&["customer", "erase", "c-1", "--offline", "--yes"]).await;
    assert!(erased.succeeded && erased.errors.contains("punchcard quarantine discard"), "{}", erased.errors);
    let discarded = served.quarantine(&["discard", "--all", "--containing", "c-1", "--yes"]).await;
    assert!(discarded.succeeded && discarded.output.contains("1 requests deleted"), "{}", discarded.output);
    served.files(1).await;
    let left = served.quarantine(&["list", "--json"]).await.json();
    assert_eq!(left["requests"][0]["path"], "/client/users/c-2/activities", "{left}");
}

#[tokio::test]
async fn the_key_is_never_beside_the_requests() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("data");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).expect("a link");
    for quarantine in [data.clone(), data.join("a/b"), folder.path().to_owned(), folder.path().join("link/data/q")] {
        let mut beside = bare();
        beside.args(["serve", "--addr", "127.0.0.1:0", "--data", text(&data), "--quarantine", text(&quarantine)]);
        let said = run(beside).await;
        assert!(!said.succeeded && said.errors.contains("must be apart from the data"), "{}", said.errors);
    }
    assert!(!data.exists());
}

#[tokio::test]
async fn a_server_writes_what_is_waiting_before_it_ends() {
    let mut served = Served::start().await;
    for number in 0..20 {
        assert_eq!(served.send(&format!("c-{number}"), CHECKIN).await, 400);
    }
    assert!(served.running.interrupt().await.success());
    served.files(20).await;
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("quarantine");
    let mut in_memory = bare();
    in_memory.args(["serve", "--memory", "--addr", "127.0.0.1:0", "--quarantine", text(&directory)]);
    let said = run(in_memory).await;
    assert!(!said.succeeded && said.errors.contains("the key that encrypts the requests is in it"), "{}", said.errors);
    assert!(!directory.exists());

    let served = Served::start().await;
    assert_eq!(served.send("c-1", CHECKIN).await, 400);
    served.files(1).await;
    let (data, directory) = (served.folder.path().join("data"), served.directory());
    let url = served.running.url();
    let replay = async |variables: &[(&str, &str)]| {
        let mut command = bare();
        let place = ["--data", text(&data), "--quarantine", text(&directory), "--url", url];
        command.args(["quarantine", "replay", "--all"]).args(place).envs(variables.iter().copied());
        run(command).await
    };
    // Not the demo's store, which has the key.
    let no_store = replay(&[]).await;
    assert!(!no_store.succeeded && no_store.errors.contains("there is no store"), "{}", no_store.errors);
    let wrong = file("PUNCHCARD_CLIENT_ID=demo-client\nPUNCHCARD_CLIENT_SECRET=wrong-secret\n");
    let wrong = served.quarantine(&["replay", "--all", "--credentials", text(wrong.path())]).await;
    assert!(!wrong.succeeded && wrong.errors.contains("the API refused the credentials"), "{}", wrong.errors);
    assert!(wrong.output.contains("1 kept"), "{}", wrong.output);
    let down = served.quarantine(&["replay", "--all", "--url", "http://127.0.0.1:1"]).await;
    assert!(!down.succeeded && down.output.contains("the connection failed"), "{}", down.output);
    served.files(1).await;
}
