//! Backtests that are started from the console.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Console, Page};
use crate::{
    operator::{file, punchcard},
    support::{app::App, players::limited, proxy::Proxy},
};

const START: &str = "/console/catalog/backtest";
const CANCEL: &str = "/console/catalog/backtest/cancel";
const REPORT: &str = "/console/catalog/backtest/report";

fn review(limits: &Value) -> String {
    json!({"campaigns": [limited("REVIEW", "review", 10, limits)]}).to_string()
}

impl Console {
    async fn start(&self, draft: &str, period: &[(&str, &str)]) -> Page {
        self.post(START, &[&[("draft", draft)], period].concat()).await
    }

    async fn progress(&self) -> Value {
        let page = self.get("/console/catalog/backtest.json").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        serde_json::from_str(&page.text).expect("JSON")
    }

    /// Waits until the progress is as wanted.
    async fn eventually(&self, wanted: impl Fn(&Value) -> bool) {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let progress = self.progress().await;
            if wanted(&progress) {
                return;
            }
            assert!(Instant::now() < limit, "{progress}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The page of the backtest once it has ended.
    async fn ended(&self) -> Page {
        self.eventually(|progress| progress["running"] == false).await;
        let page = self.get(START).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page
    }
}

/// The data of the charts in a report.
fn charts(report: &str) -> Value {
    let (_, rest) = report.split_once("<script type=\"application/json\" id=\"data\">").expect("data");
    serde_json::from_str(rest.split_once("</script>").expect("its end").0).expect("JSON")
}

/// The numbers above a report: points paid, with the draft, and the difference, and the records that differ.
fn totals(report: &str) -> Vec<&str> {
    let cells = report.split("<dd>").skip(1).map(|rest| rest.split_once('<').expect("an end").0.trim());
    cells.take(4).collect()
}

#[tokio::test]
async fn a_backtest_has_the_figures_of_the_command_in_its_report() {
    let app = App::with_catalog(&serde_json::from_str(&review(&json!({"usesPerMember": 1}))).expect("JSON")).await;
    for player in ["p-1", "p-1", "p-1", "p-2", "<script>alert(1)</script>"] {
        app.did(player, "review").await;
    }
    let draft = review(&json!({"usesPerMember": 2}));
    let path = file(&draft);
    let path = path.path().to_str().expect("a path");
    let console = Console::of_stack(&app, &[]).await;
    assert!(console.running.said.contains("read only"), "reading needs no --write");
    assert_eq!(console.get(START).await.status, StatusCode::NOT_FOUND);

    // Before all records, and after them.
    for (period, total) in
        [(&[][..], 40), (&[("since", "2020-01-01T00:00:00Z")], 40), (&[("until", "2020-01-01T00:00:00Z")], 0)]
    {
        let started = console.start(&draft, period).await;
        assert_eq!((started.status, started.header("location")), (StatusCode::SEE_OTHER, START), "{}", started.text);
        let page = console.ended().await;
        assert!(page.text.contains("Complete"), "{}", page.text);
        assert!(page.text.contains(&format!("<dd>{total}</dd>")), "{}", page.text);
        assert!(page.text.contains("It is dropped in 60 minutes"), "{}", page.text);

        let options: Vec<_> =
            period.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]).collect();
        let options: Vec<_> =
            ["backtest", path, "--json"].into_iter().chain(options.iter().map(String::as_str)).collect();
        let of_command = punchcard(&app, &options).await.json();
        let report = console.get(REPORT).await;
        assert_eq!(report.status, StatusCode::OK);
        let number = |pointer: &str| of_command.pointer(pointer).and_then(Value::as_i64).expect("a number");
        let difference = number("/total/difference");
        let signed = if difference > 0 { format!("+{difference}") } else { difference.to_string() };
        assert_eq!(
            totals(&report.text),
            [number("/total/actual").to_string(), total.to_string(), signed, number("/differing").to_string()]
        );
        assert_eq!(number("/total/draft"), total);
        let weeks: Vec<_> = of_command["weeks"]
            .as_array()
            .expect("weeks")
            .iter()
            .map(|week| json!([week["from"], week["actual"], week["draft"]]))
            .collect();
        assert_eq!(charts(&report.text)["weeks"], Value::from(weeks));
        for offer in of_command["offers"].as_array().expect("offers") {
            let row = format!("<td>{}</td><td>{}</td>", offer["actual"], offer["draft"]);
            assert!(report.text.contains(&row), "{row}: {}", report.text);
        }
        assert!(!report.text.contains("<script>alert"), "escaped");
    }
}

#[tokio::test]
async fn the_report_has_a_policy_of_its_own_and_can_be_downloaded() {
    let console = Console::demo().await;
    assert_eq!(console.start("rewards: enabled", &[]).await.status, StatusCode::SEE_OTHER);
    assert!(console.ended().await.text.contains("Complete"));
    let report = console.get(REPORT).await;
    let policy = report.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("; frame-ancestors 'none'; sandbox allow-scripts"), "{policy}");
    assert!(
        !policy.contains("unsafe") && !policy.contains("'self'") && !policy.contains("allow-same-origin"),
        "{policy}"
    );
    assert_eq!(report.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(report.header("content-disposition"), "");
    assert_eq!(report.header("cache-control"), "no-store");
    // The policy inside it is the same, so the downloaded file has it too.
    let (own, _) = policy.split_once("; frame-ancestors").expect("the own part");
    let inside = own.replace('\'', "&#39;");
    assert!(report.text.contains(&format!("http-equiv=\"Content-Security-Policy\" content=\"{inside}\"")), "{inside}");
    let download = console.get(&format!("{REPORT}?download=1")).await;
    assert_eq!(download.header("content-disposition"), "attachment; filename=\"backtest.html\"");
    assert_eq!(download.text, report.text);
    let page = console.get(START).await;
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));

    let edited = console.get("/console/catalog/draft?from=backtest").await;
    assert!(edited.text.contains(">rewards: enabled</textarea>"), "{}", edited.text);
    assert!(!console.get("/console/catalog/draft").await.text.contains(">rewards: enabled</textarea>"));
}

#[tokio::test]
async fn a_backtest_shows_its_progress_runs_alone_and_blocks_no_page() {
    let app = App::with_catalog(&serde_json::from_str(&review(&json!({}))).expect("JSON")).await;
    for _ in 0..3 {
        app.did("p-1", "review").await;
    }
    let proxy = Proxy::start(&app.endpoint).await;
    let console = Console::of_stack(&app.through(&proxy.url).await, &[]).await;
    let draft = review(&json!({"usesPerMember": 1}));
    proxy.hold("Scan");
    assert_eq!(console.start(&draft, &[]).await.status, StatusCode::SEE_OTHER);
    let progress = console.progress().await;
    assert_eq!(
        (&progress["running"], &progress["step"], &progress["records"]),
        (&json!(true), &json!("1 of 2: the records are read"), &json!("0")),
    );
    console.eventually(|progress| progress["total"] == "3").await;
    let page = console.get(START).await;
    for shown in ["<progress", "Records a second", "Time left", "of about 3", "Cancel the backtest"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert_eq!(console.get(REPORT).await.status, StatusCode::NOT_FOUND);
    // It waits for the store, and other pages do not wait for it.
    assert!(console.get("/console/member?player=p-1").await.text.contains("REVIEW"));

    let second = console.start("rewards: disabled", &[("since", "2026-01-01T00:00:00Z")]).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    for shown in [
        "Another backtest is running",
        "href=\"/console/catalog/backtest\"",
        ">rewards: disabled</textarea>",
        "2026-01-01T00:00:00Z",
    ] {
        assert!(second.text.contains(shown), "{shown}: {}", second.text);
    }
    proxy.let_go();
    let page = console.ended().await;
    assert!(page.text.contains("Complete") && page.text.contains("<dd>10</dd>"), "{}", page.text);
    assert_eq!(console.start(&draft, &[]).await.status, StatusCode::SEE_OTHER, "the next one");
}

#[tokio::test]
async fn a_backtest_is_cancelled_and_another_one_may_start() {
    let app = App::with_catalog(&serde_json::from_str(&review(&json!({}))).expect("JSON")).await;
    let proxy = Proxy::start(&app.endpoint).await;
    let console = Console::of_stack(&app.through(&proxy.url).await, &[]).await;
    assert_eq!(console.post(CANCEL, &[]).await.status, StatusCode::NOT_FOUND, "none was started");
    proxy.hold("Scan");
    assert_eq!(console.start("rewards: enabled", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(console.progress().await["running"], true);
    assert_eq!(console.post(CANCEL, &[]).await.status, StatusCode::SEE_OTHER);
    let page = console.ended().await;
    assert!(page.text.contains("Cancelled.") && !page.text.contains("Open the report"), "{}", page.text);
    assert_eq!(console.get(REPORT).await.status, StatusCode::NOT_FOUND);
    proxy.let_go();
    assert_eq!(console.start("rewards: enabled", &[]).await.status, StatusCode::SEE_OTHER);
    assert!(console.ended().await.text.contains("Complete"));
    assert_eq!(console.post(CANCEL, &[]).await.status, StatusCode::SEE_OTHER, "too late, and without effect");
    assert!(console.get(START).await.text.contains("Complete"));
}

#[tokio::test]
async fn a_console_ends_at_once_though_a_backtest_runs() {
    let app = App::with_catalog(&serde_json::from_str(&review(&json!({}))).expect("JSON")).await;
    let proxy = Proxy::start(&app.endpoint).await;
    let mut console = Console::of_stack(&app.through(&proxy.url).await, &[]).await;
    proxy.hold("Scan");
    assert_eq!(console.start("rewards: enabled", &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(console.progress().await["running"], true);
    let ending = Instant::now();
    assert_eq!(console.running.interrupt().await.code(), Some(0));
    assert!(ending.elapsed() < Duration::from_secs(15), "{:?}", ending.elapsed());
}

#[tokio::test]
async fn a_faulty_draft_period_or_store_is_shown_plainly() {
    let app = App::with_catalog(&serde_json::from_str(&review(&json!({}))).expect("JSON")).await;
    let proxy = Proxy::start(&app.endpoint).await;
    let console = Console::of_stack(&app.through(&proxy.url).await, &[]).await;
    let none: &[(&str, &str)] = &[];
    for (draft, period, shown) in [
        ("rewards: <b>\nunknown: 1", none, "The draft is not valid: line 1: /rewards"),
        ("budget: {inAll: {ever: 5}}\ncampaigns: [{id: REVIEW, event: review, points: 9}]", none, "/budget/inAll/ever"),
        ("rewards: enabled", &[("since", "yesterday")][..], "“since” must be an RFC 3339 timestamp"),
        ("rewards: enabled", &[("until", "<i>")], "“until” must be an RFC 3339 timestamp"),
    ] {
        let page = console.start(draft, period).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{draft}");
        let (_, alert) = page.text.split_once("role=\"alert\">").expect("an alert");
        assert!(alert.contains(shown), "{shown}: {alert}");
        assert!(!page.text.contains("<b>\n") && !page.text.contains("\"<i>\""), "{}", page.text);
        assert_eq!(console.get(START).await.status, StatusCode::NOT_FOUND, "nothing was started");
    }
    proxy.refuse_after("Scan", 0);
    assert_eq!(console.start("rewards: enabled", &[]).await.status, StatusCode::SEE_OTHER);
    let page = console.ended().await;
    let (_, alert) = page.text.split_once("role=\"alert\">").expect("an alert");
    assert!(alert.contains("Failed:") && alert.contains("AccessDenied"), "{alert}");
    assert!(!page.text.contains("punchcard-secret"), "{}", page.text);
}

#[tokio::test]
async fn a_backtest_is_started_and_cancelled_by_the_consoles_own_forms_only() {
    let console = Console::demo().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let same = ("sec-fetch-site", "same-origin");
    for path in [START, CANCEL] {
        let own = console.send(Method::POST, path, &[form, ("origin", "null"), same], "draft=rewards:+enabled").await;
        assert_eq!(own.status, StatusCode::FORBIDDEN, "{path}: no token");
        let csrf = console.get("/console/members").await.csrf().to_owned();
        let body = format!("draft=rewards:+enabled&csrf={csrf}");
        let other = [form, ("origin", "https://attacker.example"), same];
        assert_eq!(console.send(Method::POST, path, &other, &body).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(console.get(CANCEL).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(console.get("/console/catalog/backtest.json").await.status, StatusCode::NOT_FOUND, "nothing runs");
}
