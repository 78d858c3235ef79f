//! `kill -9` of `serve --data` under load, again and again: what was acknowledged is there, and paid once.
//!
//! `KILL_ROUNDS` says how often, for a longer run.

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    serve::{Running, event},
    support::{
        activities::{activity, activity_path},
        players::{API_KEY, EVENT},
    },
};

const ROUNDS: u64 = 4;
/// Of each kind, at once.
const WRITERS: usize = 4;
/// The points that the demo's catalog pays for the order below.
const ORDER_POINTS: u64 = 50;
/// The same for the activity below.
const ACTIVITY_POINTS: &str = "/ABC/loyalty/total";

/// One thing sent, under an id of its own.
#[derive(Debug, Clone)]
enum Sent {
    Events(Vec<Uuid>),
    Activity { correlation_id: String, id: String },
    Player { id: String, key: String },
}

/// The address of the process that runs now.
struct Target {
    url: String,
    client: Client,
    session: String,
    activities: String,
    /// So many it has acknowledged.
    acknowledged: AtomicU64,
}

impl Target {
    async fn of(serve: &Running) -> Self {
        let client = Client::new();
        let form = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";
        let request = client.post(format!("{}/oauth2/token", serve.url()));
        let answer = request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
        let token: Value = answer.expect("an answer").json().await.expect("JSON");
        Target {
            url: serve.url().to_owned(),
            client,
            session: serve.token("demo-client", "demo-secret").await,
            activities: token["access_token"].as_str().expect("a token").to_owned(),
            acknowledged: AtomicU64::default(),
        }
    }

    fn request(&self, sent: &Sent) -> RequestBuilder {
        match sent {
            Sent::Events(ids) => {
                let events: Vec<_> = ids.iter().copied().map(event).collect();
                let request = self.client.post(format!("{}/v2/events/clientEvent", self.url));
                let request = request.bearer_auth(&self.session).header("x-source-customer-id", "customer-1");
                request.json(&json!({"clientEvents": events}))
            }
            Sent::Activity { correlation_id, id } => {
                let request = self.client.post(format!("{}{}", self.url, activity_path(correlation_id, id)));
                request.bearer_auth(&self.activities).json(&activity("SURVEY_RESPONSE"))
            }
            Sent::Player { id, key } => {
                let request = self.client.post(format!("{}{EVENT}", self.url)).header(API_KEY.0, API_KEY.1);
                let order = json!({"playerUniqueId": id, "events": {"place_order": {"total_amount": 120}}});
                request.header("idempotency-key", key).json(&order)
            }
        }
    }

    /// Sends it. `None` where no answer came.
    async fn send(&self, sent: &Sent) -> Option<(StatusCode, bool, Value)> {
        let answer = self.request(sent).send().await.ok()?;
        let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotent-replayed"));
        Some((status, replayed, answer.json().await.ok()?))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = self.client.get(format!("{}{path}", self.url)).header(API_KEY.0, API_KEY.1);
        let answer = request.bearer_auth(&self.activities).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }
}

/// Sends one new thing after the other, until no answer comes: what was acknowledged, and the last, which may be there.
async fn write(target: Arc<Target>, new: impl Fn() -> Sent) -> (Vec<Sent>, Sent) {
    let mut acknowledged = Vec::new();
    loop {
        let sent = new();
        match target.send(&sent).await {
            Some((StatusCode::OK, false, _)) => {
                acknowledged.push(sent);
                target.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Some(other) => panic!("{sent:?}: {other:?}"),
            None => return (acknowledged, sent),
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_paid_twice() {
    let rounds = env::var("KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let folder = TempDir::new().expect("a folder");
    let args = ["--demo", "--data", folder.path().to_str().expect("a path in UTF-8")];
    let (mut acknowledged, mut open) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut serve = Running::serve(&args).await;
        let target = Arc::new(Target::of(&serve).await);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let member = format!("{round}-{writer}");
            let size = if writer % 2 == 0 { 1 } else { 30 };
            writers.spawn(write(target.clone(), move || Sent::Events((0..size).map(|_| Uuid::new_v4()).collect())));
            let correlation_id = format!("visitor-{member}");
            writers.spawn(write(target.clone(), move || Sent::Activity {
                correlation_id: correlation_id.clone(),
                id: Uuid::new_v4().to_string(),
            }));
            let id = format!("player-{member}");
            writers
                .spawn(write(target.clone(), move || Sent::Player { id: id.clone(), key: Uuid::new_v4().to_string() }));
        }
        // At another moment each time.
        while target.acknowledged.load(Ordering::Relaxed) < 30 + round * 7 % 30 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        serve.kill().await;
        while let Some(written) = writers.join_next().await {
            let (done, last) = written.expect("a writer's end");
            acknowledged.extend(done);
            open.push(last);
        }
    }
    let serve = Running::serve(&args).await;
    let target = Target::of(&serve).await;
    let (mut there, mut booked) = (0, Books::default());
    for sent in &acknowledged {
        assert!(is_there(&target, sent, &mut booked).await, "{sent:?} was acknowledged and is lost");
    }
    for sent in &open {
        there += usize::from(is_there(&target, sent, &mut booked).await);
    }
    booked.assert_are_the_balances(&target).await;
    println!(
        "{rounds} rounds: {} requests acknowledged and all there; of {} that got no answer, {there} are",
        acknowledged.len(),
        open.len()
    );
}

/// Each member's expected balances, by the records.
#[derive(Default)]
struct Books {
    visitors: BTreeMap<String, u64>,
    players: BTreeMap<String, u64>,
}

impl Books {
    async fn assert_are_the_balances(&self, target: &Target) {
        for (correlation_id, points) in &self.visitors {
            let (_, answer) = target.get(&format!("/client/users/{correlation_id}/balances")).await;
            assert_eq!(answer.pointer("/balances/ABC/loyalty"), Some(&json!(points)), "{correlation_id}");
        }
        for (player, points) in &self.players {
            let (_, answer) = target.get(&format!("/integrations/player/{player}")).await;
            assert_eq!(answer["points"], json!(points), "{player}");
        }
    }
}

/// Returns true if it was recorded before, whole. Player events are sent again to find out, so that they are recorded now.
async fn is_there(target: &Target, sent: &Sent, books: &mut Books) -> bool {
    match sent {
        Sent::Events(ids) => {
            let (status, _, answer) = target.send(sent).await.expect("an answer");
            let rejected = answer["rejected"].as_array().map_or(0, Vec::len);
            assert!(answer["rejected"].as_array().into_iter().flatten().all(|event| event["reason"] == "DUPLICATE_ID"));
            assert_eq!(status == 409, rejected == ids.len(), "{answer}");
            rejected == ids.len()
        }
        Sent::Activity { correlation_id, id } => {
            let (status, answer) = target.get(&activity_path(correlation_id, id)).await;
            if status != 200 {
                assert_eq!(status, 404, "{answer}");
                return false;
            }
            let points = answer["earned"].pointer(ACTIVITY_POINTS).and_then(Value::as_u64).expect("points");
            *books.visitors.entry(correlation_id.clone()).or_default() += points;
            true
        }
        Sent::Player { id, .. } => {
            let (status, replayed, answer) = target.send(sent).await.expect("an answer");
            assert_eq!(status, 200, "{answer}");
            *books.players.entry(id.clone()).or_default() += ORDER_POINTS;
            replayed
        }
    }
}
