//! Credentials in headers, bodies, queries and cookies: valid ones in every accepted spelling, and invalid ones.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use punchcard_models::access::SecretDigest;
use serde_json::json;

use super::{GRANT, request::Attempt};
use crate::support::players::encoded;

pub(super) fn basic(credentials: impl AsRef<[u8]>) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

/// A credential in `Authorization`, in every accepted spelling.
pub(super) fn spelled(scheme: &str, credential: &str) -> impl Iterator<Item = Attempt> {
    let (lower, upper) = (scheme.to_lowercase(), scheme.to_uppercase());
    let values = [
        ("as it is", format!("{scheme} {credential}")),
        ("its scheme in lower case", format!("{lower} {credential}")),
        ("its scheme in upper case", format!("{upper} {credential}")),
        ("blanks between", format!("{scheme}   {credential}")),
        ("blanks around", format!(" {scheme} {credential}  ")),
    ];
    values.into_iter().map(|(name, value)| Attempt::new(name).authorization(value))
}

/// A valid credential in a place that is not read.
pub(super) fn misplaced(credential: &str) -> Vec<Attempt> {
    let places = ["access_token", "token", "authorization", "Authorization", "apikey", "APIKey", "api_key"];
    let queries =
        places.map(|name| Attempt::new(format!("in the query as {name}")).query(format!("?{name}={credential}")));
    let cookies = ["Authorization", "APIKey", "access_token", "session"]
        .map(|name| Attempt::new(format!("in a cookie {name}")).header("cookie", format!("{name}={credential}")));
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
    let headers = names.map(|name| Attempt::new(format!("in the header {name}")).header(name, credential));
    queries.into_iter().chain(cookies).chain(headers).collect()
}

/// Values of `Authorization` that hold no valid token by the syntax of the header, though some contain one.
pub(super) fn bad_headers(good: &str) -> Vec<Attempt> {
    let demo = basic("demo-client:demo-secret");
    let twice = |name: &str, first: &str, second: &str| {
        Attempt::new(name).authorization(format!("Bearer {first}")).authorization(format!("Bearer {second}"))
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
    let values = values.map(|value| Attempt::new(format!("the header {value:?}")).authorization(value));
    let others = [
        Attempt::new("no credential"),
        Attempt::new("an API key").header("apikey", "demo-api-key"),
        Attempt::new("the token as an API key").header("apikey", good),
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

pub(super) fn bad_api_keys(token: &str) -> Vec<Attempt> {
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
    let keys = keys.map(|key| Attempt::new(format!("the key {key:?}")).header("apikey", key));
    let twice =
        |name: &str, first: &str, second: &str| Attempt::new(name).header("apikey", first).header("apikey", second);
    let others = [
        Attempt::new("no credential"),
        Attempt::new("a token").authorization(format!("Bearer {token}")),
        Attempt::new("the key as a token").authorization("Bearer demo-api-key"),
        Attempt::new("the key by another scheme").authorization("APIKey demo-api-key"),
        Attempt::new("the key as a password").authorization(basic("demo:demo-api-key")),
        twice("the header twice", "demo-api-key", "demo-api-key"),
        twice("a good header after a bad one", "x", "demo-api-key"),
        twice("a bad header after a good one", "demo-api-key", "x"),
    ];
    keys.into_iter().chain(others).chain(misplaced("demo-api-key")).collect()
}

/// Secret keys that do not belong to the API key beside them.
pub(super) fn bad_secret_keys(token: &str) -> Vec<Attempt> {
    let digest = SecretDigest::of("demo-secret-key").to_string();
    let secrets = [
        "",
        "x",
        "Demo-Secret-Key",
        "demo-secret-ke",
        "demo-secret-keyx",
        "demo-secret-key,demo-secret-key",
        "\"demo-secret-key\"",
        "é",
        "demo-api-key",
        "demo-secret",
        // Of other API keys.
        "gone-secret-key",
        "other-secret-key",
        &digest,
        token,
    ];
    let secrets = secrets.map(|secret| {
        Attempt::new(format!("the secret key {secret:?}")).header("apikey", "demo-api-key").header("secretkey", secret)
    });
    let secret = |attempt: Attempt| attempt.header("secretkey", "demo-secret-key");
    let keys = bad_api_keys(token).into_iter().map(secret);
    let of_others = [("other-api-key", "demo-secret-key"), ("gone-api-key", "gone-secret-key")];
    let of_others = of_others.map(|(key, secret)| {
        Attempt::new(format!("the key {key} and {secret}")).header("apikey", key).header("secretkey", secret)
    });
    let alone = Attempt::new("no secret key").header("apikey", "demo-api-key");
    secrets.into_iter().chain(keys).chain(of_others).chain([alone]).collect()
}

/// Ids and secrets that belong to no client, or to one without the scope of this API.
pub(super) fn bad_pairs(only_other: &'static str) -> Vec<(&'static str, String)> {
    let of_demo =
        ["wrong", "demo-secret ", " demo-secret", "Demo-Secret", "demo-secre", "demo-secretx", "demo-api-key"];
    let of_demo = of_demo.into_iter().map(str::to_owned).chain([String::new(), "x".repeat(4096)]);
    let of_demo = of_demo.chain([SecretDigest::of("demo-secret").to_string()]).map(|secret| ("demo-client", secret));
    let others = [
        ("Demo-Client", "demo-secret"),
        ("demo-client ", "demo-secret"),
        ("client#demo-client", "demo-secret"),
        ("no-client", "demo-secret"),
        ("no-client", "wrong"),
        ("demo", "demo-api-key"),
        ("gone", "demo-secret"),
        ("gone", "wrong"),
        (only_other, "demo-secret"),
        (only_other, "wrong"),
    ];
    of_demo.chain(others.map(|(id, secret)| (id, secret.to_owned()))).collect()
}

pub(super) fn bad_credentials() -> Vec<Attempt> {
    let body = |id: &str, secret: &str| json!({"clientId": id, "secret": secret});
    let pairs = bad_pairs("activities-only").into_iter().map(|(id, secret)| {
        Attempt::new(format!("{id:?} with {:?}", &secret[..secret.len().min(64)])).json(&body(id, &secret))
    });
    let good = body("demo-client", "demo-secret");
    let repeated = good.to_string().replacen('{', r#"{"secret":"wrong","#, 1);
    let in_place = "?clientId=demo-client&secret=demo-secret";
    let unknown = body("no-client", "x");
    let others = [
        // A body without the members is invalid, not unauthenticated.
        Attempt::new("no credentials").json(&json!({})).answered(400),
        Attempt::new("in the query").json(&json!({})).query(in_place).answered(400),
        Attempt::new("in the query beside wrong ones").json(&unknown).query(in_place),
        Attempt::new("by HTTP Basic").json(&json!({})).authorization(basic("demo-client:demo-secret")).answered(400),
        Attempt::new("by HTTP Basic beside wrong ones").json(&unknown).authorization(basic("demo-client:demo-secret")),
        Attempt::new("in headers")
            .json(&json!({}))
            .header("clientid", "demo-client")
            .header("secret", "demo-secret")
            .answered(400),
        Attempt::new("in a form").form("clientId=demo-client&secret=demo-secret").answered(415),
        Attempt::new("deeper").json(&json!({"credentials": good})).answered(400),
        Attempt::new("in a list").json(&json!([good])).answered(400),
        Attempt::new("by other names").json(&json!({"ClientId": "demo-client", "Secret": "demo-secret"})).answered(400),
        Attempt::new("as OAuth names them")
            .json(&json!({"client_id": "demo-client", "client_secret": "demo-secret"}))
            .answered(400),
        Attempt::new("as lists").json(&json!({"clientId": ["demo-client"], "secret": ["demo-secret"]})).answered(400),
        Attempt { body: Some(("application/json", repeated)), ..Attempt::new("twice, the wrong one first") },
    ];
    pairs.chain(others).collect()
}

pub(super) fn bad_oauth() -> Vec<Attempt> {
    let demo = basic("demo-client:demo-secret");
    let in_form = format!("{GRANT}&client_id=demo-client&client_secret=demo-secret");
    let pairs = bad_pairs("client-events-only");
    let short = |secret: &str| secret[..secret.len().min(64)].to_owned();
    let basics = pairs.iter().map(|(id, secret)| {
        let credentials = basic(format!("{}:{}", encoded(id), encoded(secret)));
        Attempt::new(format!("{id:?} with {:?}", short(secret))).authorization(credentials).form(GRANT)
    });
    let forms = pairs.iter().map(|(id, secret)| {
        let credentials = format!("client_id={}&client_secret={}", encoded(id), encoded(secret));
        Attempt::new(format!("{id:?} with {:?} in the form", short(secret))).form(format!("{GRANT}&{credentials}"))
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
    .map(|value| Attempt::new(format!("the header {value:?}")).authorization(value).form(GRANT));
    let wrong = basic("demo-client:wrong");
    let others = [
        Attempt::new("no credentials").form(GRANT),
        Attempt::new("nothing at all").form(""),
        Attempt::new("an id alone").form(format!("{GRANT}&client_id=demo-client")),
        Attempt::new("a secret alone").form(format!("{GRANT}&client_secret=demo-secret")),
        Attempt::new("in the query").form(GRANT).query("?client_id=demo-client&client_secret=demo-secret"),
        Attempt::new("in headers")
            .form(GRANT)
            .header("client_id", "demo-client")
            .header("client_secret", "demo-secret"),
        Attempt::new("an API key").form(GRANT).header("apikey", "demo-api-key"),
        Attempt::new("the header twice").form(GRANT).authorization(demo.as_str()).authorization(demo.as_str()),
        Attempt::new("a good header after a bad one")
            .form(GRANT)
            .authorization(wrong.as_str())
            .authorization(demo.as_str()),
        // An invalid header is refused even beside a valid form.
        Attempt::new("a bad header beside a good form").form(in_form.as_str()).authorization(wrong.as_str()),
        // 401 comes before 400, 413 and 415.
        Attempt::new("a bad header and a bad form")
            .form("grant_type=password&scope=everything")
            .authorization(wrong.as_str()),
        Attempt::new("a bad header and JSON").json(&json!({})).authorization(wrong.as_str()),
        Attempt::new("a bad header and a body too long").form("x".repeat(256 * 1024 + 1)).authorization(wrong.as_str()),
    ];
    let misplaced = misplaced(&demo.replace(' ', "%20")).into_iter().map(|attempt| attempt.form(GRANT));
    basics.chain(forms).chain(headers).chain(others).chain(misplaced).collect()
}
