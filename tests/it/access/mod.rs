//! Who is let in: every route of the API against every way of not being allowed to use it. None gets in, none changes
//! anything, and none learns whether what it asked about is there: the whole answer is the same, byte for byte.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use punchcard_http::{Dialect, route::ROUTES, token};
use punchcard_models::{
    access::{PublicKey, Scope, SecretDigest, SigningKey},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_store::Admin;
use reqwest::{Method, header::HeaderMap};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::support::{
    activities::activities_token,
    app::{Answer, App, header},
    players::encoded,
};

const TABLES: [&str; 6] = ["Catalog", "ClientEvents", "Activities", "PlayerEvents", "Sessions", "Members"];
const CUSTOMER: &str = "customer-1";
const EVENT: &str = "12395199-1565-4565-bf99-3f94ee505d12";
const GRANT: &str = "grant_type=client_credentials";

/// What proves a caller to a route.
#[derive(Debug, Clone, Copy)]
enum Guard {
    /// A client's id and secret, in JSON.
    Credentials,
    /// A client's id and secret, as OAuth 2.0 has them.
    OAuth,
    /// A token for one API.
    Token(Scope),
    /// An API key.
    ApiKey,
}

/// A path that a function answers.
struct Route {
    endpoint: &'static punchcard_http::Route,
    path: &'static str,
}

fn routes() -> Vec<Route> {
    ROUTES.iter().flat_map(|endpoint| endpoint.paths.iter().map(|path| Route { endpoint, path })).collect()
}

/// What a request is about.
#[derive(Debug, Clone, Copy)]
enum About {
    /// Something that is there.
    Known,
    /// Something that isn't.
    Unknown,
}

/// A request but for what proves its caller, and what it is answered if that is good.
struct Asked {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
}

impl Route {
    fn guard(&self) -> Guard {
        match (self.endpoint.function, self.endpoint.dialect) {
            ("start-session", _) => Guard::Credentials,
            (_, Dialect::OAuth) => Guard::OAuth,
            (_, Dialect::ClientEvents) => Guard::Token(Scope::ClientEvents),
            (_, Dialect::Activities) => Guard::Token(Scope::Activities),
            (_, Dialect::PlayerEvents) => Guard::ApiKey,
        }
    }

    fn ask(&self, about: About) -> Asked {
        let new = Uuid::new_v4().to_string();
        let id = |known: &str| match about {
            About::Known => known.to_owned(),
            About::Unknown => new.clone(),
        };
        let either = |known, unknown| match about {
            About::Known => known,
            About::Unknown => unknown,
        };
        let has_id = self.path.contains("{activity_id}");
        let (body, status) = match self.endpoint.function {
            "start-session" | "issue-token" | "get-balances" => (Value::Null, 200),
            "send-client-event" => (event(&id(EVENT)), either(409, 200)),
            "open-session" => (json!({"correlationId": id("c-1"), "channel": "APP"}), 200),
            "send-activity" => (activity(), if has_id { either(400, 200) } else { 200 }),
            "get-activity" | "get-player" => (Value::Null, either(200, 404)),
            "track-event" => (json!({"playerUniqueId": id("player-1"), "events": {}}), 200),
            function => panic!("nothing is known of {function}"),
        };
        let customer = match self.guard() {
            Guard::Credentials => Some(id(CUSTOMER)),
            Guard::Token(Scope::ClientEvents) => Some(CUSTOMER.to_owned()),
            _ => None,
        };
        let mut headers: Vec<_> = customer.into_iter().map(|customer| ("x-source-customer-id", customer)).collect();
        if !body.is_null() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let ids = [("correlation_id", "c-1"), ("activity_id", "a-1"), ("playerUniqueId", "player-1")];
        let path = ids
            .into_iter()
            .fold(self.path.to_owned(), |path, (name, known)| path.replace(&format!("{{{name}}}"), &id(known)));
        Asked { path, headers, body: if body.is_null() { String::new() } else { body.to_string() }, status }
    }
}

fn event(id: &str) -> Value {
    json!({"clientEvents": [{
        "clientEventId": id,
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    }]})
}

fn activity() -> Value {
    json!({"action": "APP_CHECKIN", "channel": "STORE", "when": "2024-10-01T07:00:00Z"})
}

/// A way of showing something, and what it is answered.
struct Way {
    name: String,
    headers: Vec<(String, String)>,
    query: String,
    body: Option<(&'static str, String)>,
    status: u16,
}

impl Way {
    /// Shows nothing.
    fn new(name: impl Into<String>) -> Self {
        Way { name: name.into(), headers: Vec::new(), query: String::new(), body: None, status: 401 }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn authorization(self, value: impl Into<String>) -> Self {
        self.header("authorization", value)
    }

    fn query(self, query: impl Into<String>) -> Self {
        Way { query: query.into(), ..self }
    }

    fn json(self, body: &Value) -> Self {
        Way { body: Some(("application/json", body.to_string())), ..self }
    }

    fn form(self, body: impl Into<String>) -> Self {
        Way { body: Some(("application/x-www-form-urlencoded", body.into())), ..self }
    }

    fn answered(self, status: u16) -> Self {
        Way { status, ..self }
    }

    /// Returns true if the request has the header that the route reads its credential from.
    fn has_authorization(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "authorization")
    }
}

fn basic(credentials: impl AsRef<[u8]>) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

fn part(json: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
}

fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let pair = Ed25519KeyPair::from_pkcs8(&key.pkcs8).expect("a key");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The JSON with another member; without it where the value is `null`.
fn with(json: &Value, name: &str, value: Value) -> Value {
    let mut json = json.clone();
    let members = json.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    json
}

/// A system with callers of every kind, and something stored of all that is asked about.
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
        admin.add_api_key("gone-shop", SecretDigest::of("gone-api-key"), now).await.expect("an API key");
        app.revoke("gone").await;
        app.revoke("gone-shop").await;
        let public_key = admin.snapshot().await.expect("a catalog").access.public_keys[&key.id];
        app.restart().await;
        let world = World { app, key, public_key, second };
        for route in routes().iter().filter(|route| route.endpoint.method == Method::POST) {
            let good = world.good(route.guard()).await.remove(0);
            let answer = world.send(route, &route.ask(About::Known), &good).await;
            assert_eq!(answer.status, 200, "{}: {}", route.path, answer.body);
        }
        world
    }

    async fn send(&self, route: &Route, asked: &Asked, way: &Way) -> Answer {
        let mut headers = HeaderMap::new();
        let own = asked.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let content_type = way.body.iter().map(|(content_type, _)| ("content-type", *content_type));
        let shown = way.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(content_type).chain(shown) {
            let (name, value) = header(name, value);
            headers.append(name, value);
        }
        let body = way.body.as_ref().map_or(&asked.body, |(_, body)| body);
        let path = format!("{}{}", asked.path, way.query);
        self.app.send_raw(route.endpoint.method.clone(), &path, headers, body.clone()).await
    }

    /// A good token from the API itself.
    async fn token(&self, scope: Scope) -> String {
        match scope {
            Scope::ClientEvents => self.app.session_token(CUSTOMER).await,
            Scope::Activities => activities_token(&self.app).await,
        }
    }

    /// Everything that is stored.
    async fn stored(&self) -> Vec<Vec<HashMap<String, AttributeValue>>> {
        let mut stored = Vec::new();
        for table in TABLES {
            stored.push(self.app.items(table).await);
        }
        stored
    }

    /// What lets a caller in, however it is spelled.
    async fn good(&self, guard: Guard) -> Vec<Way> {
        match guard {
            Guard::Credentials => {
                vec![Way::new("as it is").json(&json!({"clientId": "demo-client", "secret": "demo-secret"}))]
            }
            Guard::OAuth => {
                let demo = basic("demo-client:demo-secret");
                let ways = spelled("Basic", demo.strip_prefix("Basic ").expect("credentials"));
                let in_form = format!("{GRANT}&client_id=demo-client&client_secret=demo-secret");
                ways.map(|way| way.form(GRANT)).chain([Way::new("in the form").form(in_form)]).collect()
            }
            Guard::Token(scope) => spelled("Bearer", &self.token(scope).await).collect(),
            Guard::ApiKey => ["demo-api-key", " demo-api-key", "demo-api-key \t"]
                .map(|key| Way::new(format!("{key:?}")).header("apikey", key))
                .into(),
        }
    }

    /// What lets nobody in.
    async fn bad(&self, guard: Guard) -> Vec<Way> {
        match guard {
            Guard::Credentials => bad_credentials(),
            Guard::OAuth => bad_oauth(),
            Guard::Token(scope) => {
                let good = self.token(scope).await;
                let of_other_api = [("of the other API".to_owned(), self.token(other(scope)).await)];
                let tokens = self.bad_tokens(scope, &good).into_iter().chain(of_other_api);
                let tokens = tokens
                    .map(|(name, token)| Way::new(format!("a token {name}")).authorization(format!("Bearer {token}")));
                bad_headers(&good).into_iter().chain(tokens).collect()
            }
            Guard::ApiKey => bad_api_keys(&self.token(Scope::Activities).await),
        }
    }

    /// Tokens that prove nothing, by what is wrong with each, made from a good one.
    fn bad_tokens(&self, scope: Scope, good: &str) -> Vec<(String, String)> {
        let token = Token::read(good);
        [self.altered(&token), self.of_other_headers(&token), self.of_other_claims(&token, scope)].concat()
    }

    fn altered(&self, token: &Token<'_>) -> Vec<(String, String)> {
        let Token { whole, header, claims, signature, .. } = *token;
        let text = format!("{header}.{claims}");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let signature_with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
        };
        // 64 bytes leave four bits of the last digit to spare: the next digit there means the same bytes.
        let last = signature.len() - 1;
        let same_bytes = char::from(signature.as_bytes()[last] + 1);
        let of_another = signed(&token.header_json, &with(&token.claims_json, "jti", json!(Uuid::new_v4())), &self.key);
        let no_json = BASE64_URL_SAFE_NO_PAD.encode("{");
        [
            ("cut off by a character", whole[..whole.len() - 1].to_owned()),
            ("cut off by ten", whole[..whole.len() - 10].to_owned()),
            ("without its first character", whole[1..].to_owned()),
            ("without a signature", text.clone()),
            ("with an empty signature", format!("{text}.")),
            ("of its header alone", format!("{header}..")),
            ("with a part more", format!("{whole}.{signature}")),
            ("in another case", whole.to_lowercase()),
            ("padded", format!("{whole}==")),
            ("with the signature's first bit turned over", signature_with(&|bytes| bytes[0] ^= 0x80)),
            ("with the signature's last bit turned over", signature_with(&|bytes| bytes[63] ^= 1)),
            ("with a signature of zeros", signature_with(&|bytes| bytes.fill(0))),
            ("with a signature of a byte more", signature_with(&|bytes| bytes.push(0))),
            ("with its signature spelled otherwise", format!("{text}.{}{same_bytes}", &signature[..last])),
            ("with another's signature", format!("{text}.{}", Token::read(&of_another).signature)),
            ("whose header is no JSON", format!("{no_json}.{claims}.{signature}")),
            ("whose claims are no JSON", format!("{header}.{no_json}.{signature}")),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into()
    }

    fn of_other_headers(&self, token: &Token<'_>) -> Vec<(String, String)> {
        let Token { claims, signature, header_json, claims_json, .. } = token;
        let (foreign, public) = token::generate().expect("a key");
        let forger = SigningKey { id: self.key.id.clone(), ..foreign.clone() };
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(public)});
        let of_key = |id: &str| with(header_json, "kid", json!(id));
        let hmac = |algorithm: &str, key: &[u8]| {
            let text = format!("{}.{claims}", part(&with(header_json, "alg", json!(algorithm))));
            let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
            hmac.update(text.as_bytes());
            format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes()))
        };
        let public_text = BASE64_URL_SAFE_NO_PAD.encode(self.public_key);
        let mut tokens: Vec<_> = [
            ("of a foreign key", signed(&of_key(&foreign.id), claims_json, &foreign)),
            ("of a forger", signed(header_json, claims_json, &forger)),
            ("of a forger that brings its key", signed(&with(header_json, "jwk", jwk), claims_json, &forger)),
            ("of another key of ours", signed(header_json, claims_json, &self.second)),
            ("that names another key of ours", signed(&of_key(&self.second.id), claims_json, &self.key)),
            ("of HS256 with the public key", hmac("HS256", &self.public_key)),
            ("of HS256 with the public key's text", hmac("HS256", public_text.as_bytes())),
            ("of EdDSA by HMAC", hmac("EdDSA", &self.public_key)),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into();
        // Signed by us, so that nothing but the header is wrong; or with the signature left out, or left as it was.
        for algorithm in
            ["none", "None", "HS256", "ES256", "RS256", ""].map(Value::from).into_iter().chain([Value::Null])
        {
            let header = with(header_json, "alg", algorithm.clone());
            tokens.push((format!("of algorithm {algorithm}, signed"), signed(&header, claims_json, &self.key)));
            tokens.push((format!("of algorithm {algorithm}, not signed"), format!("{}.{claims}.", part(&header))));
            tokens.push((format!("of algorithm {algorithm}"), format!("{}.{claims}.{signature}", part(&header))));
        }
        for kid in [Value::Null, json!(""), json!("nobody"), json!(self.key.id.to_uppercase()), json!(7)] {
            let header = with(header_json, "kid", kid.clone());
            tokens.push((format!("of key {kid}"), signed(&header, claims_json, &self.key)));
        }
        tokens
    }

    /// Signed by us, so that nothing but a claim is wrong; and with the signature left as it was.
    fn of_other_claims(&self, token: &Token<'_>, scope: Scope) -> Vec<(String, String)> {
        let Token { header, signature, header_json, claims_json, .. } = token;
        let now = punchcard_runtime::now().as_millis() / 1000;
        let other_api = other(scope).as_str();
        let only_other = format!("{other_api}-only");
        let mut claims = vec![
            ("exp", json!([null, now - 1, 0, -1, (now + 60).to_string(), [now + 60]])),
            ("iss", json!([null, "somebody", ""])),
            ("aud", json!([null, other_api, "", []])),
            // Unknown, revoked since the token was issued, and without this API's scope.
            ("sub", json!([null, "nobody", "Demo-Client", "", "gone", only_other])),
        ];
        if scope == Scope::ClientEvents {
            claims.push(("cid", json!([null, "customer-2", "Customer-1", "customer-1 ", ""])));
        }
        let mut tokens = Vec::new();
        for (name, values) in claims {
            for value in values.as_array().expect("a list") {
                let changed = with(claims_json, name, value.clone());
                tokens.push((format!("signed with {name} {value}"), signed(header_json, &changed, &self.key)));
                tokens.push((format!("with {name} {value} in it"), format!("{header}.{}.{signature}", part(&changed))));
            }
        }
        let longer = with(claims_json, "exp", json!(now + 1_000_000));
        tokens.push(("with a longer life in it".to_owned(), format!("{header}.{}.{signature}", part(&longer))));
        tokens
    }
}

/// The API whose tokens are not those of `scope`.
fn other(scope: Scope) -> Scope {
    match scope {
        Scope::ClientEvents => Scope::Activities,
        Scope::Activities => Scope::ClientEvents,
    }
}

/// A token in its parts.
struct Token<'t> {
    whole: &'t str,
    header: &'t str,
    claims: &'t str,
    signature: &'t str,
    header_json: Value,
    claims_json: Value,
}

impl<'t> Token<'t> {
    fn read(whole: &'t str) -> Self {
        let parts: Vec<_> = whole.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{whole}") };
        let json = |part| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64");
            serde_json::from_slice(&bytes).expect("JSON")
        };
        Token { whole, header, claims, signature, header_json: json(header), claims_json: json(claims) }
    }
}

/// A credential in `Authorization`, as it may be spelled.
fn spelled(scheme: &str, credential: &str) -> impl Iterator<Item = Way> {
    let (lower, upper) = (scheme.to_lowercase(), scheme.to_uppercase());
    let values = [
        ("as it is", format!("{scheme} {credential}")),
        ("its scheme in lower case", format!("{lower} {credential}")),
        ("its scheme in upper case", format!("{upper} {credential}")),
        ("blanks between", format!("{scheme}   {credential}")),
        ("blanks around", format!(" {scheme} {credential}  ")),
    ];
    values.into_iter().map(|(name, value)| Way::new(name).authorization(value))
}

/// A good credential where nobody looks for it.
fn misplaced(credential: &str) -> Vec<Way> {
    let places = ["access_token", "token", "authorization", "Authorization", "apikey", "APIKey", "api_key"];
    let queries = places.map(|name| Way::new(format!("in the query as {name}")).query(format!("?{name}={credential}")));
    let cookies = ["Authorization", "APIKey", "access_token", "session"]
        .map(|name| Way::new(format!("in a cookie {name}")).header("cookie", format!("{name}={credential}")));
    let names = [
        "x-authorization",
        "proxy-authorization",
        "x-access-token",
        "x-api-key",
        "api-key",
        "secretkey",
        "cookie",
        "x-amz-security-token",
    ];
    let headers = names.map(|name| Way::new(format!("in the header {name}")).header(name, credential));
    queries.into_iter().chain(cookies).chain(headers).collect()
}

/// What is no token in `Authorization`, though some of it has a good one.
fn bad_headers(good: &str) -> Vec<Way> {
    let demo = basic("demo-client:demo-secret");
    let twice = |name: &str, first: &str, second: &str| {
        Way::new(name).authorization(format!("Bearer {first}")).authorization(format!("Bearer {second}"))
    };
    let values = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer .",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer é.é.é",
        "Bearer null",
        "Bearer demo-api-key",
        "Bearer demo-secret",
        "Basic",
        &demo,
        good,
    ];
    let values = values.into_iter().map(str::to_owned).chain([
        format!("Basic {good}"),
        format!("Token {good}"),
        format!("JWT {good}"),
        format!("Digest {good}"),
        format!("Bearer{good}"),
        format!("Bearer\t{good}"),
        format!("Bearer:{good}"),
        format!("Bearer: {good}"),
        format!("Bearer, {good}"),
        format!("Bearer Bearer {good}"),
        format!("Bearer \"{good}\""),
        format!("Bearer token={good}"),
        format!("Bearer {good} {good}"),
        format!("Bearer {good},{good}"),
        format!("Bearer {good};"),
        format!("Bearer {good} x"),
        format!("Bearer {}", good.replacen('.', " .", 1)),
        format!("Bearer {}", good.replacen('.', "\t.", 1)),
        format!("Basic {}", BASE64_STANDARD.encode(good)),
        format!("{demo}, Bearer {good}"),
    ]);
    let values = values.map(|value| Way::new(format!("the header {value:?}")).authorization(value));
    let others = [
        Way::new("no credential"),
        Way::new("an API key").header("apikey", "demo-api-key"),
        Way::new("the token as an API key").header("apikey", good),
        twice("the header twice", good, good),
        twice("a good header after a bad one", "x", good),
        twice("a bad header after a good one", good, "x"),
    ];
    values
        .chain(others)
        .chain(misplaced(good))
        .chain(misplaced(&format!("Bearer {good}").replace(' ', "%20")))
        .collect()
}

fn bad_api_keys(token: &str) -> Vec<Way> {
    let digest = SecretDigest::of("demo-api-key").to_string();
    let keys = [
        "",
        "x",
        "demo",
        "Demo-Api-Key",
        "DEMO-API-KEY",
        "demo-api-ke",
        "emo-api-key",
        "demo-api-keyx",
        "demo-api-key,",
        "demo-api-key,demo-api-key",
        "demo-api-key demo-api-key",
        "demo api key",
        "\"demo-api-key\"",
        "Bearer demo-api-key",
        "demo-api-key\u{a0}",
        "é",
        "demo-client",
        "demo-secret",
        "demo-client:demo-secret",
        "gone-api-key",
        "gone-shop",
        &digest,
        token,
    ];
    let keys = keys.map(|key| Way::new(format!("the key {key:?}")).header("apikey", key));
    let twice = |name: &str, first: &str, second: &str| Way::new(name).header("apikey", first).header("apikey", second);
    let others = [
        Way::new("no credential"),
        Way::new("a token").authorization(format!("Bearer {token}")),
        Way::new("the key as a token").authorization("Bearer demo-api-key"),
        Way::new("the key by another scheme").authorization("APIKey demo-api-key"),
        Way::new("the key as a password").authorization(basic("demo:demo-api-key")),
        twice("the header twice", "demo-api-key", "demo-api-key"),
        twice("a good header after a bad one", "x", "demo-api-key"),
        twice("a bad header after a good one", "demo-api-key", "x"),
    ];
    keys.into_iter().chain(others).chain(misplaced("demo-api-key")).collect()
}

/// Ids and secrets that are no client's, or none that may have a token for this API.
fn bad_pairs(only_other: &'static str) -> Vec<(&'static str, String)> {
    let of_demo =
        ["wrong", "demo-secret ", " demo-secret", "Demo-Secret", "demo-secre", "demo-secretx", "demo-api-key"];
    let of_demo = of_demo.into_iter().map(str::to_owned).chain([String::new(), "x".repeat(4096)]);
    let of_demo = of_demo.chain([SecretDigest::of("demo-secret").to_string()]).map(|secret| ("demo-client", secret));
    let others = [
        ("Demo-Client", "demo-secret"),
        ("demo-client ", "demo-secret"),
        ("client#demo-client", "demo-secret"),
        ("nobody", "demo-secret"),
        ("nobody", "wrong"),
        ("demo", "demo-api-key"),
        ("gone", "demo-secret"),
        ("gone", "wrong"),
        (only_other, "demo-secret"),
        (only_other, "wrong"),
    ];
    of_demo.chain(others.map(|(id, secret)| (id, secret.to_owned()))).collect()
}

fn bad_credentials() -> Vec<Way> {
    let body = |id: &str, secret: &str| json!({"clientId": id, "secret": secret});
    let pairs = bad_pairs("activities-only").into_iter().map(|(id, secret)| {
        Way::new(format!("{id:?} with {:?}", &secret[..secret.len().min(64)])).json(&body(id, &secret))
    });
    let good = body("demo-client", "demo-secret");
    let repeated = good.to_string().replacen('{', r#"{"secret":"wrong","#, 1);
    let in_place = "?clientId=demo-client&secret=demo-secret";
    let nobodys = body("nobody", "x");
    let others = [
        // A body that says nothing of them is a faulty one.
        Way::new("no credentials").json(&json!({})).answered(400),
        Way::new("in the query").json(&json!({})).query(in_place).answered(400),
        Way::new("in the query beside wrong ones").json(&nobodys).query(in_place),
        Way::new("by HTTP Basic").json(&json!({})).authorization(basic("demo-client:demo-secret")).answered(400),
        Way::new("by HTTP Basic beside wrong ones").json(&nobodys).authorization(basic("demo-client:demo-secret")),
        Way::new("in headers")
            .json(&json!({}))
            .header("clientid", "demo-client")
            .header("secret", "demo-secret")
            .answered(400),
        Way::new("in a form").form("clientId=demo-client&secret=demo-secret").answered(415),
        Way::new("deeper").json(&json!({"credentials": good})).answered(400),
        Way::new("in a list").json(&json!([good])).answered(400),
        Way::new("by other names").json(&json!({"ClientId": "demo-client", "Secret": "demo-secret"})).answered(400),
        Way::new("as OAuth names them")
            .json(&json!({"client_id": "demo-client", "client_secret": "demo-secret"}))
            .answered(400),
        Way::new("as lists").json(&json!({"clientId": ["demo-client"], "secret": ["demo-secret"]})).answered(400),
        Way { body: Some(("application/json", repeated)), ..Way::new("twice, the wrong one first") },
    ];
    pairs.chain(others).collect()
}

fn bad_oauth() -> Vec<Way> {
    let demo = basic("demo-client:demo-secret");
    let in_form = format!("{GRANT}&client_id=demo-client&client_secret=demo-secret");
    let pairs = bad_pairs("client-events-only");
    let short = |secret: &str| secret[..secret.len().min(64)].to_owned();
    let basics = pairs.iter().map(|(id, secret)| {
        let credentials = basic(format!("{}:{}", encoded(id), encoded(secret)));
        Way::new(format!("{id:?} with {:?}", short(secret))).authorization(credentials).form(GRANT)
    });
    let forms = pairs.iter().map(|(id, secret)| {
        let credentials = format!("client_id={}&client_secret={}", encoded(id), encoded(secret));
        Way::new(format!("{id:?} with {:?} in the form", short(secret))).form(format!("{GRANT}&{credentials}"))
    });
    let headers = [
        "",
        "Basic",
        "Basic ",
        "Basic ***",
        &basic(""),
        &basic(":"),
        &basic("demo-client"),
        &basic("demo-client:"),
        &basic(":demo-secret"),
        &basic([b"demo-client:demo-secret".as_slice(), &[0xff]].concat()),
        &basic("demo-client demo-secret"),
        "Basic demo-client:demo-secret",
        &demo["Basic ".len()..],
        &demo.replace("Basic", "Bearer"),
        &demo.replace(' ', ""),
        &format!("{demo}, {demo}"),
        &format!("{demo} x"),
    ]
    .map(|value| Way::new(format!("the header {value:?}")).authorization(value).form(GRANT));
    let wrong = basic("demo-client:wrong");
    let others = [
        Way::new("no credentials").form(GRANT),
        Way::new("nothing at all").form(""),
        Way::new("an id alone").form(format!("{GRANT}&client_id=demo-client")),
        Way::new("a secret alone").form(format!("{GRANT}&client_secret=demo-secret")),
        Way::new("in the query").form(GRANT).query("?client_id=demo-client&client_secret=demo-secret"),
        Way::new("in headers").form(GRANT).header("client_id", "demo-client").header("client_secret", "demo-secret"),
        Way::new("an API key").form(GRANT).header("apikey", "demo-api-key"),
        Way::new("the header twice").form(GRANT).authorization(demo.as_str()).authorization(demo.as_str()),
        Way::new("a good header after a bad one")
            .form(GRANT)
            .authorization(wrong.as_str())
            .authorization(demo.as_str()),
        // A header that proves nothing isn't saved by a form that would.
        Way::new("a bad header beside a good form").form(in_form.as_str()).authorization(wrong.as_str()),
        // 401 comes before 400, 413 and 415.
        Way::new("a bad header and a bad form")
            .form("grant_type=password&scope=everything")
            .authorization(wrong.as_str()),
        Way::new("a bad header and JSON").json(&json!({})).authorization(wrong.as_str()),
        Way::new("a bad header and a body too long").form("x".repeat(256 * 1024 + 1)).authorization(wrong.as_str()),
    ];
    let misplaced = misplaced(&demo.replace(' ', "%20")).into_iter().map(|way| way.form(GRANT));
    basics.chain(forms).chain(headers).chain(others).chain(misplaced).collect()
}

/// The whole answer but for what names the request.
fn comparable(answer: &Answer) -> String {
    let id = answer.header("x-amzn-requestid").expect("a request id");
    let headers = answer.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-amzn-requestid"));
    let headers = headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text")));
    format!("{}\n{}\n{}", answer.status, headers.collect::<String>(), answer.body.replace(id, "…"))
}

fn assert_challenged(answer: &Answer, route: &Route, way: &Way, case: &str) {
    let challenge = match route.guard() {
        // RFC 6750, 3.1: no error code in the response to a request without a credential.
        Guard::Token(_) if !way.has_authorization() => "Bearer realm=\"punchcard\"",
        Guard::Credentials | Guard::Token(_) => "Bearer realm=\"punchcard\", error=\"invalid_token\"",
        Guard::OAuth => "Basic realm=\"punchcard\"",
        Guard::ApiKey => "APIKey realm=\"punchcard\"",
    };
    assert_eq!(answer.header("www-authenticate"), Some(challenge), "{case}");
    let body = answer.json();
    let (member, code) = match route.endpoint.dialect {
        Dialect::ClientEvents => ("type", json!("SessionValidationException")),
        Dialect::Activities => ("errorCode", json!("UNAUTHORIZED")),
        Dialect::PlayerEvents => ("code", json!(1000)),
        Dialect::OAuth => ("error", json!("invalid_client")),
    };
    assert_eq!(body[member], code, "{case}: {body}");
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_credential_nor_learns_what_is_there() {
    let world = World::make().await;
    let (mut requests, mut kinds) = (0, BTreeMap::new());
    for route in &routes() {
        let before = world.stored().await;
        let ways = world.bad(route.guard()).await;
        let mut refusals = BTreeMap::<_, BTreeSet<_>>::new();
        for way in &ways {
            let case = format!("{} {}: {}", route.endpoint.method, route.path, way.name);
            let known = world.send(route, &route.ask(About::Known), way).await;
            let unknown = world.send(route, &route.ask(About::Unknown), way).await;
            assert_eq!(known.status, way.status, "{case}: {}", known.body);
            assert_eq!(comparable(&known), comparable(&unknown), "{case}");
            if way.status == 401 {
                assert_challenged(&known, route, way, &case);
                let kind = known.header("www-authenticate").map(str::to_owned);
                refusals.entry(kind).or_default().insert(comparable(&known));
            }
            requests += 2;
        }
        kinds.insert(format!("{:?}", route.guard()), ways.len());
        let reveals_nothing = refusals.values().all(|answers| answers.len() == 1);
        assert!(reveals_nothing, "{}: a refusal reveals its reason: {refusals:?}", route.path);
        assert_eq!(world.stored().await, before, "{}", route.path);
    }
    println!("{} routes, {requests} requests; ways of not being let in: {kinds:?}", routes().len());
}

#[tokio::test]
async fn whoever_has_a_good_credential_gets_in_however_it_is_spelled() {
    let mut world = World::make().await;
    let as_written = world.app.client.clone();
    // The names of headers in lower case, and Like-This.
    let titled = reqwest::Client::builder().http1_title_case_headers().build().expect("a client");
    for client in [as_written, titled] {
        world.app.client = client;
        for route in &routes() {
            for way in world.good(route.guard()).await {
                for asked in [About::Known, About::Unknown].map(|about| route.ask(about)) {
                    let answer = world.send(route, &asked, &way).await;
                    assert_eq!(answer.status, asked.status, "{}: {}: {}", route.path, way.name, answer.body);
                }
            }
        }
    }
}
