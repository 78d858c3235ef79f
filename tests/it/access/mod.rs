//! Authentication and authorisation: every route against every invalid credential. None is accepted, none changes
//! anything, and no refusal reveals whether the target of the request exists: responses are identical, byte for byte.

mod credentials;
mod request;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard_http::{Dialect, token};
use punchcard_models::{
    access::{PublicKey, Scope, SecretDigest, SigningKey},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_store::Admin;
use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use credentials::{bad_api_keys, bad_credentials, bad_headers, bad_oauth, bad_secret_keys, basic, spelled};
use request::{Attempt, Guard, Request, Route, Target, routes};
use tokens::other;

use crate::support::{
    activities::activities_token,
    app::{Answer, App, header},
};

const TABLES: [&str; 6] = ["Catalog", "ClientEvents", "Activities", "PlayerEvents", "Sessions", "Members"];
const CUSTOMER: &str = "customer-1";
const EVENT: &str = "12395199-1565-4565-bf99-3f94ee505d12";
const GRANT: &str = "grant_type=client_credentials";

/// A system with callers of every kind, in which the targets of the requests exist.
struct World {
    app: App,
    /// The key that tokens are signed with now.
    key: SigningKey,
    public_key: PublicKey,
    /// An older one.
    second: SigningKey,
}

impl World {
    async fn make() -> Self {
        let mut app = App::start().await;
        let (admin, now) = (Admin::new(&app.store), punchcard_runtime::now());
        let key = app.signing_key().await;
        let (second, public) = token::generate().expect("a key");
        admin.add_signing_key(&second, &public, Timestamp::from_millis(0)).await.expect("an older key");
        for (id, scopes) in [
            ("gone", &Scope::ALL[..]),
            ("client-events-only", &[Scope::ClientEvents]),
            ("activities-only", &[Scope::Activities]),
        ] {
            let id = id.parse::<ClientId>().expect("an id");
            admin.add_client(&id, SecretDigest::of("demo-secret"), scopes, now).await.expect("a client");
        }
        for name in ["gone", "other"] {
            let digest = |kind: &str| SecretDigest::of(&format!("{name}-{kind}-key"));
            let added = admin.add_api_key(&format!("{name}-shop"), digest("api"), digest("secret"), now).await;
            added.expect("an API key");
        }
        app.revoke("gone").await;
        app.revoke("gone-shop").await;
        let public_key = admin.snapshot().await.expect("a catalog").access.public_keys[&key.id];
        app.restart().await;
        let world = World { app, key, public_key, second };
        for route in routes().iter().filter(|route| route.endpoint.method == Method::POST) {
            let good = world.good(route.guard()).await.remove(0);
            let answer = world.send(route, &route.request(Target::Existing), &good).await;
            assert_eq!(answer.status, 200, "{}: {}", route.path, answer.body);
        }
        world
    }

    async fn send(&self, route: &Route, request: &Request, attempt: &Attempt) -> Answer {
        let mut headers = HeaderMap::new();
        let own = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let content_type = attempt.body.iter().map(|(content_type, _)| ("content-type", *content_type));
        let shown = attempt.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(content_type).chain(shown) {
            let (name, value) = header(name, value);
            headers.append(name, value);
        }
        let body = attempt.body.as_ref().map_or(&request.body, |(_, body)| body);
        let path = format!("{}{}", request.path, attempt.query);
        self.app.send_raw(route.endpoint.method.clone(), &path, headers, body.clone()).await
    }

    /// A valid token, issued by the API.
    async fn token(&self, scope: Scope) -> String {
        match scope {
            Scope::ClientEvents => self.app.session_token(CUSTOMER).await,
            Scope::Activities | Scope::Corrections => activities_token(&self.app).await,
        }
    }

    /// All stored items.
    async fn stored(&self) -> Vec<Vec<HashMap<String, AttributeValue>>> {
        let mut stored = Vec::new();
        for table in TABLES {
            stored.push(self.app.items(table).await);
        }
        stored
    }

    /// Valid credentials, in every accepted spelling.
    async fn good(&self, guard: Guard) -> Vec<Attempt> {
        match guard {
            Guard::Credentials => {
                vec![Attempt::new("as it is").json(&json!({"clientId": "demo-client", "secret": "demo-secret"}))]
            }
            Guard::OAuth => {
                let demo = basic("demo-client:demo-secret");
                let attempts = spelled("Basic", demo.strip_prefix("Basic ").expect("credentials"));
                let in_form = format!("{GRANT}&client_id=demo-client&client_secret=demo-secret");
                attempts.map(|attempt| attempt.form(GRANT)).chain([Attempt::new("in the form").form(in_form)]).collect()
            }
            Guard::Token(scope) => spelled("Bearer", &self.token(scope).await).collect(),
            Guard::ApiKey => ["demo-api-key", " demo-api-key", "demo-api-key \t"]
                .map(|key| Attempt::new(format!("{key:?}")).header("apikey", key))
                .into(),
            Guard::SecretKey => ["demo-secret-key", " demo-secret-key", "demo-secret-key \t"]
                .map(|secret| {
                    Attempt::new(format!("{secret:?}")).header("apikey", "demo-api-key").header("secretkey", secret)
                })
                .into(),
        }
    }

    /// Invalid credentials.
    async fn bad(&self, guard: Guard) -> Vec<Attempt> {
        match guard {
            Guard::Credentials => bad_credentials(),
            Guard::OAuth => bad_oauth(),
            Guard::Token(scope) => {
                let good = self.token(scope).await;
                let of_other_api = [("of the other API".to_owned(), self.token(other(scope)).await)];
                let tokens = self.bad_tokens(scope, &good).into_iter().chain(of_other_api);
                let tokens = tokens.map(|(name, token)| {
                    Attempt::new(format!("a token {name}")).authorization(format!("Bearer {token}"))
                });
                bad_headers(&good).into_iter().chain(tokens).collect()
            }
            Guard::ApiKey => bad_api_keys(&self.token(Scope::Activities).await),
            Guard::SecretKey => bad_secret_keys(&self.token(Scope::Activities).await),
        }
    }
}

/// The response without the date and the id of the request.
fn comparable(answer: &Answer) -> String {
    let id = answer.header("x-amzn-requestid").expect("a request id");
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-amzn-requestid"));
    let headers = headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text")));
    format!("{}\n{}\n{}", answer.status, headers.collect::<String>(), answer.body.replace(id, "…"))
}

fn assert_challenged(answer: &Answer, route: &Route, attempt: &Attempt, case: &str) {
    let challenge = match route.guard() {
        // RFC 6750, 3.1: no error code in the response to a request without a credential.
        Guard::Token(_) if !attempt.has_authorization() => "Bearer realm=\"punchcard\"",
        Guard::Credentials | Guard::Token(_) => "Bearer realm=\"punchcard\", error=\"invalid_token\"",
        Guard::OAuth => "Basic realm=\"punchcard\"",
        Guard::ApiKey | Guard::SecretKey => "APIKey realm=\"punchcard\"",
    };
    assert_eq!(answer.header("www-authenticate"), Some(challenge), "{case}");
    let body = answer.json();
    let (member, code) = match route.dialect {
        Dialect::ClientEvents => ("type", json!("SessionValidationException")),
        Dialect::Activities => ("errorCode", json!("UNAUTHORIZED")),
        Dialect::PlayerEvents | Dialect::PlayerEventsV4 => ("code", json!(1000)),
        Dialect::OAuth => ("error", json!("invalid_client")),
    };
    assert_eq!(body[member], code, "{case}: {body}");
}

#[tokio::test]
async fn an_invalid_credential_is_refused_and_the_response_does_not_reveal_what_exists() {
    let world = World::make().await;
    let (mut requests, mut kinds) = (0, BTreeMap::new());
    for route in &routes() {
        let before = world.stored().await;
        let attempts = world.bad(route.guard()).await;
        let mut refusals = BTreeMap::<_, BTreeSet<_>>::new();
        for attempt in &attempts {
            let case = format!("{} {}: {}", route.endpoint.method, route.path, attempt.name);
            let known = world.send(route, &route.request(Target::Existing), attempt).await;
            let unknown = world.send(route, &route.request(Target::Missing), attempt).await;
            assert_eq!(known.status, attempt.status, "{case}: {}", known.body);
            assert_eq!(comparable(&known), comparable(&unknown), "{case}");
            if attempt.status == 401 {
                assert_challenged(&known, route, attempt, &case);
                let kind = known.header("www-authenticate").map(str::to_owned);
                refusals.entry(kind).or_default().insert(comparable(&known));
            }
            requests += 2;
        }
        kinds.insert(format!("{:?}", route.guard()), attempts.len());
        let reveals_nothing = refusals.values().all(|answers| answers.len() == 1);
        assert!(reveals_nothing, "{}: a refusal reveals its reason: {refusals:?}", route.path);
        assert_eq!(world.stored().await, before, "{}", route.path);
    }
    println!("{} routes, {requests} requests; invalid credentials by kind: {kinds:?}", routes().len());
}

#[tokio::test]
async fn a_valid_credential_is_accepted_in_every_spelling() {
    let mut world = World::make().await;
    let as_written = world.app.client.clone();
    // The names of headers in lower case, and Like-This.
    let titled = reqwest::Client::builder().http1_title_case_headers().build().expect("a client");
    for client in [as_written, titled] {
        world.app.client = client;
        for route in &routes() {
            for attempt in world.good(route.guard()).await {
                for request in [Target::Existing, Target::Missing].map(|target| route.request(target)) {
                    let answer = world.send(route, &request, &attempt).await;
                    assert_eq!(answer.status, request.status, "{}: {}: {}", route.path, attempt.name, answer.body);
                }
            }
        }
    }
}
