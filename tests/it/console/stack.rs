//! `punchcard console` on the tables of a stack, and on the data of `serve`.

use reqwest::StatusCode;
use serde_json::json;
use tokio::process::Command;

use super::{Console, client, cookie, link};
use crate::{
    serve::Running,
    support::{app::App, binaries::binary},
};

impl Console {
    /// The console of a stack.
    pub async fn of_stack(app: &App, args: &[&str]) -> Self {
        let stack = app.prefix.trim_end_matches('-');
        let mut command = Command::new(binary("punchcard"));
        command
            .args(["console", "--stack", stack, "--endpoint-url", &app.endpoint, "--region", "us-east-1"])
            .args(args)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        let running = Running::spawn(command, "The link works once").await;
        let link = link(&running.said).to_owned();
        let client = client();
        let entered = client.get(&link).send().await.expect("an answer");
        let url = link.split("/console").next().expect("an address").to_owned();
        Console { cookie: cookie(entered.headers()), running, url, client, _data: None }
    }
}

#[tokio::test]
async fn the_console_of_a_stack_reads_its_tables() {
    let app = App::start().await;
    let body = json!({"playerUniqueId": "player-1", "events": {"review": {}}});
    let sent = app.post("/integrations/event", &[("apikey", "demo-api-key")], &body).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let console = Console::of_stack(&app, &[]).await;
    assert!(console.running.said.contains("read only"), "{}", console.running.said);
    let member = console.get("/console/member?player=player-1").await;
    assert!(member.status == StatusCode::OK && member.text.contains("REVIEW"), "{}", member.text);
    assert!(console.get("/console/live").await.text.contains("Only in"), "no figures");
    assert_eq!(console.get("/console/live.json").await.status, StatusCode::NOT_FOUND);
    assert_eq!(console.get("/console/adjust").await.status, StatusCode::FORBIDDEN);

    let console = Console::of_stack(&app, &["--write"]).await;
    let sample =
        [("sample", "track-event.happy"), ("path", "/integrations/event"), ("body", "{}"), ("api-key", "wrong")];
    let refused = console.post("/console/try", &sample).await;
    assert!(refused.text.contains(">401<") && !refused.text.contains("wrong"), "{}", refused.text);
}
