//! `punchcard catalog`, `client` and `key`: the real binary, on the store of an app as on a stack of AWS.

mod adjust;
mod audit;
mod backtest;
mod configuration;
mod connection;
pub mod customer;
pub mod export;
mod history;
mod output;
mod quarantine;
mod records;

use std::{io::Write as _, time::Duration};

use futures_util::future::join_all;
use punchcard_store::{Admin, AdminError, Annotation};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{app::App, binaries::binary, logs};

/// The result of a command.
#[derive(Debug)]
pub struct Said {
    pub succeeded: bool,
    pub output: String,
    pub errors: String,
}

impl Said {
    pub fn json(&self) -> Value {
        assert!(self.succeeded, "{}", self.errors);
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error}: {}", self.output))
    }
}

pub async fn punchcard(app: &App, arguments: &[&str]) -> Said {
    let stack = app.prefix.trim_end_matches('-');
    let mut command = bare();
    command
        .args(arguments)
        .args(["--stack", stack, "--endpoint-url", &app.endpoint])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    run(command).await
}

/// Runs a command that uses no store of an app.
pub async fn bare_punchcard(arguments: &[&str]) -> Said {
    let mut command = bare();
    command.args(arguments);
    run(command).await
}

/// The binary without credentials, region or endpoint: nothing of this machine's own configuration.
pub fn bare() -> Command {
    let mut command = Command::new(binary("punchcard"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || ["DYNAMODB_ENDPOINT", "SSL_CERT_FILE", "RUST_LOG"].contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .kill_on_drop(true);
    command
}

pub async fn run(mut command: Command) -> Said {
    let output = tokio::time::timeout(Duration::from_mins(1), command.output()).await;
    let output = output.expect("the command ends").expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let errors = text(output.stderr);
    logs::check(&errors);
    assert!(!errors.contains("panicked"), "{errors}");
    Said { succeeded: output.status.success(), output: text(output.stdout), errors }
}

pub fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

#[tokio::test]
async fn a_client_is_added_listed_and_revoked_and_its_secret_shown_once() {
    let app = App::start().await;
    let added = punchcard(&app, &["client", "add", "mobile-app", "--for", "client-events", "--json"]).await.json();
    let secret = added["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(added["clientId"], "mobile-app");
    assert!(secret.len() >= 43, "256 bits");

    let credentials = json!({"clientId": "mobile-app", "secret": secret});
    let start = async || {
        let fresh = app.through(&app.endpoint).await;
        fresh.post("/v2/session/startSession", &[("x-source-customer-id", "customer-1")], &credentials).await
    };
    assert_eq!(start().await.status, 200);

    let again = punchcard(&app, &["client", "add", "mobile-app", "--for", "activities"]).await;
    assert!(!again.succeeded && again.errors.contains("mobile-app already exists"), "{}", again.errors);

    let listed = punchcard(&app, &["client", "list"]).await;
    assert!(listed.output.contains("mobile-app") && listed.output.contains("client-events"), "{}", listed.output);
    assert!(!listed.output.contains(&secret), "shown once");

    assert!(punchcard(&app, &["client", "revoke", "mobile-app"]).await.succeeded);
    assert_eq!(start().await.status, 401);
    let list = punchcard(&app, &["client", "list", "--json"]).await.json();
    let revoked = list.as_array().and_then(|list| list.iter().find(|caller| caller["name"] == "mobile-app"));
    assert!(revoked.is_some_and(|caller| caller["revokedAt"].is_string()), "{list}");

    let unknown = punchcard(&app, &["client", "revoke", "unknown"]).await;
    assert!(!unknown.succeeded && unknown.errors.contains("no client or API key named unknown"), "{}", unknown.errors);
}

#[tokio::test]
async fn revoking_twice_keeps_the_first_time() {
    let app = App::start().await;
    for (name, scope) in [("mobile-app", "client-events"), ("shop", "player-events")] {
        assert!(punchcard(&app, &["client", "add", name, "--for", scope]).await.succeeded);
        let revoked_at = async || {
            assert!(punchcard(&app, &["client", "revoke", name]).await.succeeded);
            let list = punchcard(&app, &["client", "list", "--json"]).await.json();
            let callers = list.as_array().expect("a list");
            let caller = callers.iter().find(|caller| caller["name"] == name).expect("the caller");
            caller["revokedAt"].as_str().expect("a time").to_owned()
        };
        let first = revoked_at().await;
        // Longer than the resolution of the stored time.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(revoked_at().await, first, "{name}");
    }
}

#[tokio::test]
async fn player_events_get_an_api_key_of_their_own() {
    let app = App::start().await;
    let added = punchcard(&app, &["client", "add", "shop", "--for", "player-events", "--json"]).await.json();
    let key = added["apiKey"].as_str().expect("a key");
    let fresh = app.through(&app.endpoint).await;
    let request = json!({"playerUniqueId": "player123", "events": {}});
    assert_eq!(fresh.post("/integrations/event", &[("apikey", key)], &request).await.status, 200);
    let both = ["client", "add", "both", "--for", "player-events", "--for", "activities"];
    assert!(!punchcard(&app, &both).await.succeeded);
}

#[tokio::test]
async fn a_catalog_is_applied_after_its_difference_was_shown_and_somebody_agreed() {
    let app = App::start().await;
    let catalog = file("rewards: disabled\nsections: [Lobby]\n");
    let path = catalog.path().to_str().expect("a path");

    let unasked = punchcard(&app, &["catalog", "apply", path]).await;
    assert!(!unasked.succeeded && unasked.errors.contains("nothing was changed"), "{}", unasked.errors);
    for line in
        ["~ rewards: enabled → disabled", "~ sections: +Lobby, -VIPLounge", "offers\n", "- XYZ_BASE", "- REVIEW"]
    {
        assert!(unasked.output.contains(line), "{line}: {}", unasked.output);
    }

    assert!(punchcard(&app, &["catalog", "apply", path, "--yes"]).await.succeeded);
    let snapshot = Admin::new(&app.store).snapshot().await.expect("a catalog");
    assert!(!snapshot.rules.rewards_enabled() && snapshot.rules.sections().contains("Lobby"));
    assert_eq!(snapshot.version, 2);

    let again = punchcard(&app, &["catalog", "apply", path, "--json"]).await.json();
    assert_eq!(again, json!({"version": 2, "changed": false, "changes": []}));

    let shown = file(&punchcard(&app, &["catalog", "show"]).await.output);
    let shown = shown.path().to_str().expect("a path");
    assert_eq!(punchcard(&app, &["catalog", "apply", shown, "--json"]).await.json()["changed"], false);
}

#[tokio::test]
async fn a_changed_rule_is_reported_by_field_in_json_too() {
    let app = App::start().await;
    let demo =
        punchcard_rewards::yaml::DEMO.replace("reward: {flat: 5}\n    limits: {usesPerMember: 2}", "reward: {flat: 6}");
    let catalog = file(&demo);
    let path = catalog.path().to_str().expect("a path");
    let unasked = punchcard(&app, &["catalog", "apply", path]).await;
    let shown = "offers\n  ~ XYZ_SURVEY\n      limits.usesPerMember: 2 → (none)\n      reward.flat: 5 → 6\n";
    assert_eq!(unasked.output, shown);
    let applied = punchcard(&app, &["catalog", "apply", path, "--yes", "--json"]).await.json();
    let fields = json!([
        {"field": "limits.usesPerMember", "from": 2, "to": null},
        {"field": "reward.flat", "from": 5, "to": 6},
    ]);
    let changes = json!([{"offer": "XYZ_SURVEY", "change": "changed", "fields": fields}]);
    assert_eq!(applied, json!({"version": 2, "changed": true, "changes": changes}));
}

#[tokio::test]
async fn a_name_that_http_basic_would_need_encoded_is_refused() {
    for (arguments, part) in [
        (&["mobile app", "--for", "activities"][..], "must have A-Z a-z 0-9 . _ - only"),
        (&["mobile:app", "--for", "client-events"], "must have A-Z a-z 0-9 . _ - only"),
        (&["caf\u{e9}", "--for", "client-events"], "must have A-Z a-z 0-9 . _ - only"),
        (&["a+b", "--for", "client-events"], "must have A-Z a-z 0-9 . _ - only"),
        (&["shop\u{7}", "--for", "player-events"], "must not have control characters"),
        (&["shop\u{85}", "--for", "player-events"], "must not have control characters"),
        (&["", "--for", "player-events"], "must have 1 to 128 characters"),
        (&["shop", "--for", "activities", "--for", "activities"], "--for activities is given twice"),
        (&["shop", "--for", "player-events", "--for", "player-events"], "--for player-events is given twice"),
    ] {
        // Refused before a store is needed.
        let mut command = bare();
        command.args(["client", "add"]).args(arguments);
        let said = run(command).await;
        assert!(!said.succeeded && said.errors.contains(part), "{arguments:?}: {}", said.errors);
    }
    let app = App::start().await;
    assert!(punchcard(&app, &["client", "add", "Web_shop-2.eu", "--for", "activities"]).await.succeeded);
    assert!(punchcard(&app, &["client", "add", "Web shop (EU)", "--for", "player-events"]).await.succeeded);
}

#[tokio::test]
async fn the_faults_of_a_catalog_are_reported_by_line_and_nothing_changes() {
    let app = App::start().await;
    let catalog = file("businessUnits:\n  XYZ: enabled\noffers:\n  - id: X\n    unit: XYY\n    kind: base\n");
    let path = catalog.path().to_str().expect("a path");
    for command in [&["catalog", "check", path][..], &["catalog", "apply", path, "--yes"]] {
        let said = punchcard(&app, command).await;
        assert!(!said.succeeded);
        for fault in ["line 4: /offers/0/id", "line 5: /offers/0/unit", "/offers/0/reward is required"] {
            assert!(said.errors.contains(fault), "{fault}: {}", said.errors);
        }
    }
    assert_eq!(Admin::new(&app.store).snapshot().await.expect("a catalog").version, 1);
}

#[tokio::test]
async fn a_check_proves_what_a_catalog_can_pay_and_a_budget_is_held() {
    let app = App::start().await;
    let rules = "campaigns: [{id: REVIEW, event: review, points: 15, limits: {usesPerMember: {day: 2}}}]\n";
    let unlimited = file(rules);
    let within = file(&format!("budget: {{perMember: {{day: 30, month: 930}}}}\n{rules}"));
    let over = file(&format!("budget: {{perMember: {{day: 29}}, inAll: {{ever: 5}}}}\n{rules}"));
    let [unlimited, within, over] = [&unlimited, &within, &over].map(|file| file.path().to_str().expect("a path"));

    let said = punchcard(&app, &["catalog", "check", within]).await;
    assert!(said.succeeded, "{}", said.errors);
    let row = said.output.lines().find(|line| line.starts_with("REVIEW")).expect("a row");
    let expected = ["REVIEW", "15", "30", "210", "930", "10980", "∞", "∞", "∞", "∞", "∞", "∞"];
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), expected);
    let said = punchcard(&app, &["catalog", "check", within, "--json"]).await;
    let proof: serde_json::Value = serde_json::from_str(&said.output).expect("JSON");
    assert_eq!(proof["bounds"]["all"]["perMember"]["month"], 930);

    for command in [&["catalog", "check", over][..], &["catalog", "apply", over, "--yes"]] {
        let said = punchcard(&app, command).await;
        assert!(!said.succeeded);
        for problem in ["line 1: /budget/perMember/day must be at least 30", "/budget/inAll/ever is not proven: REVIEW"]
        {
            assert!(said.errors.contains(problem), "{problem}: {}", said.errors);
        }
    }
    // A budget is a change by itself.
    assert!(punchcard(&app, &["catalog", "apply", unlimited, "--yes"]).await.succeeded);
    let said = punchcard(&app, &["catalog", "apply", within, "--yes"]).await;
    assert!(said.succeeded && said.output.contains("budget.perMember.day: (none) → 30"), "{}", said.output);
    let said = punchcard(&app, &["catalog", "apply", within, "--yes"]).await;
    assert!(said.output.contains("No changes"), "{}", said.output);
}

#[tokio::test]
async fn only_one_of_two_operators_with_the_same_version_applies_a_catalog() {
    let app = App::start().await;
    let admin = Admin::new(&app.store);
    let seen = admin.snapshot().await.expect("a catalog").version;
    let catalogs: Vec<_> = (0..8).map(|number| format!("{{\"sections\":[\"S{number}\"]}}")).collect();
    let annotation = Annotation::default();
    let applied = catalogs.iter().map(|json| admin.apply_rules(json, seen, &annotation, punchcard_runtime::now()));
    let applied = join_all(applied).await;
    assert_eq!(applied.iter().filter(|applied| applied.is_ok()).count(), 1, "{applied:?}");
    let refused = applied.iter().filter(|applied| matches!(applied, Err(AdminError::Superseded)));
    assert_eq!(refused.count(), 7, "{applied:?}");
    assert_eq!(admin.snapshot().await.expect("a catalog").version, seen + 1);
}

#[tokio::test]
async fn a_catalog_of_several_chunks_is_read_whole_and_replaced_whole() {
    let app = App::start().await;
    let admin = Admin::new(&app.store);
    let section = |number: usize| format!("\"{number:0>120}\"");
    let json = |count: usize| format!("{{\"sections\":[{}]}}", (0..count).map(section).collect::<Vec<_>>().join(","));
    let mut seen = admin.snapshot().await.expect("a catalog").version;
    for count in [9_000, 3, 5_000] {
        let json = json(count);
        seen = admin.apply_rules(&json, seen, &Annotation::default(), punchcard_runtime::now()).await.expect("applied");
        let read = admin.snapshot().await.expect("a catalog");
        assert_eq!((read.version, read.rules.sections().len()), (seen, count));
        assert_eq!(admin.rules_json().await.expect("a catalog").as_deref(), Some(json.as_str()));
    }
}

#[tokio::test]
async fn after_a_rotation_old_tokens_stay_valid_and_new_ones_have_the_new_key() {
    let app = App::start().await;
    let old = app.session_token("customer-1").await;
    let key = punchcard(&app, &["key", "rotate", "--json"]).await.json();
    let fresh = app.through(&app.endpoint).await;
    let new = fresh.session_token("customer-1").await;
    assert_ne!(header(&old)["kid"], header(&new)["kid"]);
    assert_eq!(header(&new)["kid"], key["keyId"]);
    let event = json!({"clientEvents": [{
        "clientEventId": "12395199-1565-4565-bf99-3f94ee505d12",
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    }]});
    for (token, status) in [(&old, 200), (&new, 409)] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-source-customer-id", "customer-1")];
        assert_eq!(fresh.post("/v2/events/clientEvent", &headers, &event).await.status, status);
    }
}

fn header(token: &str) -> Value {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64");
    serde_json::from_slice(&header).expect("JSON")
}
