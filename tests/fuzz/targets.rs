//! Fuzz targets: everything that reads what somebody else wrote. None panics, none tells more than a bounded answer, and
//! what is read means the same when it is written and read again.
//!
//! Each runs for two seconds as an ordinary test. For longer, on the stable toolchain, guided by coverage:
//!
//! ```sh
//! cargo install cargo-bolero
//! cargo bolero test --package punchcard-fuzz --sanitizer NONE -T 10m -E=-len_control=0 json
//! ```
//!
//! Findings are shown as text, and go into `corpus/`.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    time::Duration,
};

use bolero::check;
use dynoxide::Database;
use lambda_http::{RequestExt as _, http::HeaderValue};
use punchcard::{demo, embedded, in_process::InProcess};
use punchcard_fuzz::{Input, bodies, corpus, spoilt};
use punchcard_http::{
    Body, Call, Dialect, Request, Response, Route, auth,
    token::{self, Claims, Verifier},
};
use punchcard_models::{
    access::{Access, Client, Scope, SecretDigest},
    activity::{self, Activity},
    api_version::ApiVersion,
    client_event,
    correction::{Adjustment, Reversal},
    decimal::Decimal,
    fault::{Fault, FaultKind, Faults, MAX_FAULTS, Noted},
    idempotency::IdempotencyKey,
    ids::{ActivityId, ClientEventId, ClientId, CorrelationId, CustomerId, MAX_ID},
    json::{self, At, MAX_DEPTH, Value},
    order::Order,
    player_events::PlayerEvents,
    refund::Refund,
    session::SessionRequest,
    settings::ChannelMerging,
    timestamp::Timestamp,
};
use punchcard_rewards::{Catalog, Shares, yaml};
use punchcard_runtime::Service;
use punchcard_store::{Admin, SigningKeyReader, Store};
use tokio::runtime::Runtime;

/// The time that a target runs in an ordinary test run; `BOLERO_RANDOM_TEST_TIME_MS` overrides it.
const TIME: Duration = Duration::from_secs(2);

/// Feeds a target with these inputs, first as they are, then spoilt.
macro_rules! feed {
    ($seeds:expr, $target:expr) => {{
        let (seeds, target) = ($seeds, AssertUnwindSafe($target));
        for seed in &seeds {
            call(&target, seed);
        }
        let check = check!().with_iterations(usize::MAX).with_test_time(TIME).with_shrink_time(Duration::from_secs(10));
        check.with_generator(spoilt(seeds)).for_each(|input| call(&target, input));
    }};
}

fn call(target: &AssertUnwindSafe<impl Fn(&Input)>, input: &Input) {
    target.0(input);
}

/// The faults, which are not more than an answer holds.
fn told(faults: Faults) -> Vec<Fault> {
    let told: Vec<_> = faults.into_iter().collect();
    assert!(told.len() <= MAX_FAULTS + 1, "{} faults", told.len());
    assert!(told.iter().map(|fault| fault.pointer.len() + fault.message.len()).all(|length| length < 1100));
    told
}

fn tree(text: &[u8]) -> Option<Value<'_>> {
    let faults = Faults::default();
    let value = json::read(text, &faults)?;
    told(faults).is_empty().then_some(value)
}

/// Parses a body, and checks that its canonical form means the same.
fn meaning<T: PartialEq + std::fmt::Debug>(body: &[u8], parse: impl Fn(At<'_, '_>) -> Result<T, Noted>) -> Option<T> {
    let read = |text: &[u8]| {
        let faults = Faults::default();
        let parsed = json::parse(text, &faults, &parse);
        faults.none_or(parsed).map_err(|faults| assert!(!told(faults).is_empty(), "refused, and not told why")).ok()
    };
    let parsed = read(body)?;
    let canonical = tree(body).expect("what was parsed can be read").to_string();
    assert_eq!(read(canonical.as_bytes()).as_ref(), Some(&parsed), "{canonical}");
    Some(parsed)
}

fn now() -> Timestamp {
    Timestamp::from_text("2026-01-01T00:00:00Z").expect("a moment")
}

#[test]
fn json() {
    let mut seeds = corpus("json");
    for function in ["send-client-event", "send-activity", "track-event", "place-order", "start-session"] {
        seeds.extend(bodies(function));
    }
    feed!(seeds, json_is_read_as_others_read_it_but_for_what_is_refused);
}

fn json_is_read_as_others_read_it_but_for_what_is_refused(input: &Input) {
    let faults = Faults::default();
    let ours = json::read(&input.0, &faults);
    let told = told(faults);
    let theirs = serde_json::from_slice::<serde_json::Value>(&input.0);
    let Some(ours) = ours else {
        let full = told.len() > MAX_FAULTS;
        assert!(full || told.iter().any(|fault| fault.kind == FaultKind::Malformed), "{told:?}");
        assert!(theirs.is_err() || theirs.is_ok_and(|value| depth(&value) > MAX_DEPTH), "refused: {told:?}");
        return;
    };
    assert!(told.iter().all(|fault| fault.kind == FaultKind::Repeated || fault.pointer.is_empty()), "{told:?}");
    let canonical = ours.to_string();
    let again = tree(canonical.as_bytes()).unwrap_or_else(|| panic!("no JSON: {canonical}"));
    assert_eq!(again.to_string(), canonical);
    assert_eq!(tree(format!("{ours:#}").as_bytes()).map(|value| value.to_string()).as_ref(), Some(&canonical));
    let theirs = theirs.expect("others read it too");
    if told.is_empty() {
        let again = serde_json::from_str(&canonical).expect("JSON");
        assert!(same(&theirs, &again), "{theirs} is not {again}");
    }
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Compares two values, but for the rounding of doubles.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => {
            let (a, b) = (a.as_f64().expect("a double"), b.as_f64().expect("a double"));
            (a - b).abs() <= a.abs() * 1e-15 + f64::MIN_POSITIVE
        }
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn client_events() {
    let sections = HashSet::from(["VIPLounge".to_owned()]);
    let context = client_event::Context { now: now(), sections: &sections };
    feed!([bodies("send-client-event"), corpus("json")].concat(), |input: &Input| {
        meaning(&input.0, |body| client_event::parse_batch(body, context));
    });
}

#[test]
fn activities() {
    let rules = yaml::read(yaml::DEMO).expect("a catalog").into_catalog();
    let loyalty_id = "L-1".parse().expect("an id");
    let context = activity::Context {
        now: now(),
        actions: rules.actions(),
        business_units: rules.business_units(),
        default_channel: None,
        loyalty_id: Some(&loyalty_id),
    };
    feed!([bodies("send-activity"), corpus("json")].concat(), |input: &Input| {
        let activity = meaning(&input.0, |body| Activity::parse(body, context));
        let stored = activity.as_ref().map(|activity| activity.to_json().to_string());
        let read = stored.as_ref().and_then(|stored| meaning(stored.as_bytes(), |body| Activity::parse(body, context)));
        assert_eq!(read, activity, "{stored:?}");
    });
}

#[test]
fn corrections() {
    let rules = yaml::read(yaml::DEMO).expect("a catalog").into_catalog();
    let seeds = [bodies("void-activity"), bodies("adjust-balance"), corpus("json")].concat();
    feed!(seeds, |input: &Input| {
        meaning(&input.0, Reversal::parse);
        meaning(&input.0, |body| Adjustment::parse(body, rules.business_units(), Some("APP")));
    });
}

#[test]
fn sessions() {
    feed!([bodies("open-session"), corpus("json")].concat(), |input: &Input| {
        meaning(&input.0, |body| SessionRequest::parse(body, Some("APP")));
    });
}

#[test]
fn player_events() {
    feed!([bodies("track-event"), corpus("json")].concat(), |input: &Input| {
        for merging in [ChannelMerging::None, ChannelMerging::Mobile, ChannelMerging::Email] {
            // Events are told in the order sent, which their canonical form forgets.
            meaning(&input.0, |body| {
                let request = PlayerEvents::parse(body, ApiVersion::V3, merging)?;
                let events = request.events_to_json().to_string();
                Ok((request.player, events))
            });
        }
    });
}

#[test]
fn orders() {
    feed!([bodies("place-order"), corpus("json")].concat(), |input: &Input| {
        for version in [ApiVersion::V3, ApiVersion::V4] {
            meaning(&input.0, |body| {
                let order = Order::parse(body, version, ChannelMerging::None, now())?;
                Ok((order.id, order.events.player.clone(), order.events.events_to_json().to_string()))
            });
        }
    });
}

#[test]
fn refunds() {
    feed!([bodies("refund-order"), corpus("json")].concat(), |input: &Input| {
        meaning(&input.0, |body| Refund::parse(body, now()));
    });
}

#[test]
fn values() {
    feed!(corpus("values"), |input: &Input| {
        let text = input.text();
        if let Some(moment) = Timestamp::from_text(&text) {
            assert_eq!(Timestamp::from_text(&moment.to_string()), Some(moment));
        }
        if let Some(number) = Decimal::parse(&text) {
            let spelled = number.to_string();
            assert_eq!(Decimal::parse(&spelled).as_ref(), Some(&number), "{spelled}");
            assert_eq!(Decimal::parse(&spelled).map(|again| again.cmp(&number)), Some(std::cmp::Ordering::Equal));
            assert!(number.to_u64().is_none_or(|whole| Decimal::from(whole) == number));
        }
        if let Ok(id) = text.parse::<ClientEventId>() {
            assert_eq!(id.to_string().parse().ok(), Some(id));
        }
        for id in [
            text.parse::<ActivityId>().ok().map(|id| id.to_string()),
            text.parse::<CorrelationId>().ok().map(|id| id.to_string()),
        ] {
            assert!(id.is_none_or(|id| id.parse::<ActivityId>().as_deref() == Ok(&*id) && id.len() <= MAX_ID));
        }
        assert!(text.parse::<CustomerId>().map_or(true, |id| *id == *text));
        assert!(text.parse::<IdempotencyKey>().map_or(true, |key| *key == *text));
    });
}

#[test]
fn catalogs() {
    let seeds = [corpus("catalog"), vec![Input(yaml::DEMO.as_bytes().to_vec())]].concat();
    feed!(seeds, |input: &Input| {
        let text = input.text();
        // The written form and the stored form mean the same.
        match yaml::read(&text) {
            Ok(source) => {
                let stored = source.to_applied_json(&Shares::new());
                assert_eq!(Catalog::from_json(&stored).as_ref().ok(), Some(source.catalog()), "{stored}");
                assert_eq!(yaml::source_of(&stored).0, source.to_json());
                assert_eq!(yaml::read(source.to_json()).as_ref(), Ok(&source));
                let shown = format!("{:#}", tree(source.to_json().as_bytes()).expect("JSON"));
                assert_eq!(yaml::read(&shown).as_ref(), Ok(&source), "{shown}");
            }
            Err(problems) => assert!(!problems.is_empty(), "refused, and not told why"),
        }
        match Catalog::from_json(&text) {
            // A stored catalog may have any offsets for its time zone.
            Ok(catalog) if catalog.timezone() == Catalog::default().timezone() => {
                let (canonical, _) = yaml::source_of(&tree(text.as_bytes()).expect("JSON").to_string());
                let source = yaml::read(&canonical).map(yaml::Source::into_catalog);
                assert_eq!(source, Ok(catalog.without_shares()), "{canonical}");
            }
            Ok(_) => {}
            Err(faults) => assert!(!told(faults).is_empty()),
        }
    });
}

/// The lifetime of tokens: longer than any run.
const LIFETIME: Duration = Duration::from_secs(1_000_000);

/// A request to a route.
fn request(route: &Route, headers: &[(&str, &str)], body: &[u8]) -> Request {
    let mut request = Request::new(Body::Binary(body.to_vec()));
    *request.method_mut() = route.method.clone();
    for (name, value) in headers {
        let name = name.parse::<lambda_http::http::HeaderName>().expect("a header's name");
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header's value"));
    }
    let ids = [("correlation_id", "c-1")].map(|(name, id)| (name.to_owned(), id.to_owned()));
    request.with_path_parameters(HashMap::from(ids))
}

#[test]
fn credentials() {
    let (key, public) = token::generate().expect("a key");
    let client = Client { secret: SecretDigest::of("s3cret"), scopes: Scope::ALL.to_vec(), revoked: false };
    let access = Access {
        clients: [("client".parse::<ClientId>().expect("an id"), client)].into(),
        public_keys: [(key.id.clone(), public.try_into().expect("32 bytes"))].into(),
        ..Access::default()
    };
    let claims = Claims::new(Scope::Activities, "client", None, punchcard_runtime::now(), LIFETIME);
    let good = token::sign(&claims, &key).expect("a token");
    let seeds =
        [format!("Bearer {good}"), "Basic Y2xpZW50OnMzY3JldA==".to_owned()].map(|text| Input(text.into_bytes()));
    let remembering = Verifier::default();
    feed!([seeds.to_vec(), corpus("credentials")].concat(), |input: &Input| {
        let Ok(header) = HeaderValue::from_bytes(&input.0) else { return };
        let mut request = Request::default();
        request.headers_mut().insert("authorization", header);
        let call = Call {
            request: &request,
            dialect: Dialect::Activities,
            now: punchcard_runtime::now(),
            deadline: tokio::time::Instant::now() + Duration::from_secs(8),
            request_id: uuid::Uuid::nil(),
        };
        auth::basic(&call).ok();
        for verifier in [&remembering, &Verifier::default()] {
            // Nothing but the token itself is taken for it.
            let admitted = auth::bearer(&call, verifier, &access, Scope::Activities).is_ok();
            let sent = input.text();
            let sent = sent.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            assert_eq!(admitted, sent.is_some_and(|(_, token)| token.trim_matches(' ') == good));
        }
    });
}

/// The functions on an embedded store, with what lets a caller in.
struct World {
    runtime: Runtime,
    store: Store,
    client_events: String,
    activities: String,
}

impl World {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (store, [client_events, activities]) = runtime.block_on(async {
            let database = Database::memory().expect("a database in memory");
            let store = embedded::store(InProcess::new(database)).await.expect("an embedded store");
            let now = punchcard_runtime::now();
            demo::set_up(&Admin::new(&store), now).await.expect("the demo");
            let key = SigningKeyReader::new(&store).newest(now).await.expect("a key");
            let tokens = [Scope::ClientEvents, Scope::Activities].map(|scope| {
                let claims = Claims::new(scope, "demo-client", Some("customer-1"), now, LIFETIME);
                format!("Bearer {}", token::sign(&claims, &key).expect("a token"))
            });
            (store, tokens)
        });
        World { runtime, store, client_events, activities }
    }

    /// Whatever is sent, it is answered, and neither by a fault of ours nor by one of the store's.
    fn answers(&self, work: impl Future<Output = Response<Body>>) {
        let response = self.runtime.block_on(work);
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(!response.status().is_server_error(), "{}: {body}", response.status());
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
    }
}

/// Feeds a function as a whole: from the request to the answer, with what is stored in between.
macro_rules! feed_function {
    ($handler:ty, $world:expr, $headers:expr) => {{
        let (world, headers) = ($world, $headers);
        let service = world.runtime.block_on(Service::open::<$handler>(&world.store, None));
        feed!([bodies(service.route().function), corpus("json")].concat(), |input: &Input| {
            let request = request(service.route(), &headers, &input.0);
            world.answers(service.respond(request));
        });
    }};
}

const JSON: (&str, &str) = ("content-type", "application/json");
const CUSTOMER: (&str, &str) = ("x-source-customer-id", "customer-1");

#[test]
fn function_send_client_event() {
    let world = &World::open();
    feed_function!(
        send_client_event::SendClientEvent,
        world,
        [JSON, CUSTOMER, ("authorization", &world.client_events)]
    );
}

#[test]
fn function_send_activity() {
    let world = &World::open();
    feed_function!(send_activity::SendActivity, world, [JSON, ("authorization", &world.activities)]);
}

#[test]
fn function_void_activity() {
    let world = &World::open();
    feed_function!(void_activity::VoidActivity, world, [JSON, ("authorization", &world.activities)]);
}

#[test]
fn function_adjust_balance() {
    let world = &World::open();
    feed_function!(adjust_balance::AdjustBalance, world, [JSON, ("authorization", &world.activities)]);
}

#[test]
fn function_open_session() {
    let world = &World::open();
    feed_function!(open_session::OpenSession, world, [JSON, ("authorization", &world.activities)]);
}

#[test]
fn function_track_event() {
    feed_function!(track_event::TrackEvent, &World::open(), [JSON, ("apikey", "demo-api-key")]);
}

#[test]
fn function_refund_order() {
    let headers = [JSON, ("apikey", "demo-api-key"), ("secretkey", "demo-secret-key")];
    feed_function!(refund_order::RefundOrder, &World::open(), headers);
}

#[test]
fn function_start_session() {
    feed_function!(start_session::StartSession, &World::open(), [JSON, CUSTOMER]);
}

#[test]
fn function_issue_token() {
    feed_function!(issue_token::IssueToken, &World::open(), [("content-type", "application/x-www-form-urlencoded")]);
}
