//! Access to the console, and requests of other sites and programs.

use reqwest::{Method, StatusCode};

use super::{Console, client, link, page};
use crate::{operator::bare_punchcard, serve::Running};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// Pages that need nothing but a session.
const PAGES: [&str; 8] = [
    "/console/live",
    "/console/members",
    "/console/catalog",
    "/console/catalog/history",
    "/console/catalog/version?version=1",
    "/console/catalog/draft",
    "/console/try",
    "/console/adjust",
];

#[tokio::test]
async fn a_link_opens_one_session_and_works_once() {
    let running = Running::serve(&["--memory"]).await;
    let link = link(&running.said).to_owned();
    let (base, token) = link.rsplit_once('=').expect("a token");
    let client = client();
    let get = async |url: &str| page(client.get(url).send().await.expect("an answer")).await;

    let without = get(&format!("{}/console/members", running.url())).await;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED);
    assert!(!without.text.contains("csrf"), "{}", without.text);
    for wrong in ["", "x", &token[..token.len() - 1], &token.to_uppercase()] {
        assert_eq!(get(&format!("{base}={wrong}")).await.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    let entered = get(&link).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/console"));
    assert_eq!(get(&link).await.status, StatusCode::FORBIDDEN, "the link is spent");

    let cookie = entered.header("set-cookie").split(';').next().expect("a pair").to_owned();
    let with = async |cookie: &str| {
        let request = client.get(format!("{}/console/members", running.url())).header("cookie", cookie);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(with(&cookie).await, StatusCode::OK);
    assert_eq!(with(&cookie[..cookie.len() - 1]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(&cookie.replace("punchcard", "other")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_signal_prints_another_link_that_works_once() {
    let data = tempfile::tempdir().expect("a directory");
    let directory = data.path().to_str().expect("text");
    let mut served = Running::serve(&["--data", directory]).await;
    let mut links = vec![link(&served.said).to_owned()];
    // More than may be unused at once: the oldest ends.
    for _ in 0..4 {
        let line = served.line_after("-USR1").await;
        links.push(link(&line).to_owned());
    }
    let client = client();
    let enter = async |url: &str| client.get(url).send().await.expect("an answer").status();
    assert_eq!(enter(&links[0]).await, StatusCode::FORBIDDEN, "too old");
    for link in &links[1..] {
        assert_eq!(enter(link).await, StatusCode::SEE_OTHER);
        assert_eq!(enter(link).await, StatusCode::FORBIDDEN, "once");
    }
    assert_eq!(served.interrupt().await.code(), Some(0));

    let args = ["console", "--data", directory, "--addr", "127.0.0.1:0"];
    let mut console = Running::start(&args, "The link works once").await;
    assert!(console.said.contains(&format!("kill -USR1 {}", console.id())), "{}", console.said);
    let line = console.line_after("-USR1").await;
    assert_eq!(enter(link(&line)).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn only_the_consoles_own_address_answers() {
    let console = Console::demo().await;
    let port = console.url.rsplit_once(':').expect("a port").1;
    for own in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        let page = console.send(Method::GET, "/console/members", &[("host", &own)], "").await;
        assert_eq!(page.status, StatusCode::OK, "{own}");
    }
    let rebound = format!("attacker.example:{port}");
    for other in
        [rebound.as_str(), "attacker.example", "127.0.0.1", "127.0.0.1:1", "localhost:", &format!("x127.0.0.1:{port}")]
    {
        for path in ["/console/members", "/console/enter?token=x", "/console/assets/console.css"] {
            let page = console.send(Method::GET, path, &[("host", other)], "").await;
            assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{other} {path}");
        }
    }
}

#[tokio::test]
async fn other_origins_and_forms_without_the_sessions_token_are_refused() {
    let console = Console::demo().await;
    let csrf = console.get("/console/members").await.csrf().to_owned();
    let body = format!("csrf={csrf}");
    let leave = async |headers: &[(&str, &str)], body: &str| {
        console.send(Method::POST, "/console/leave", headers, body).await.status
    };
    let own = console.url.clone();
    let same = ("sec-fetch-site", "same-origin");
    for other in
        ["https://attacker.example", "http://attacker.example", "http://127.0.0.1:1", "http://localhost", "file://"]
    {
        assert_eq!(leave(&[FORM, ("origin", other), same], &body).await, StatusCode::FORBIDDEN, "{other}");
        let page = console.send(Method::GET, "/console/members", &[("origin", other)], "").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{other}");
    }
    let null = ("origin", "null");
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(leave(&[FORM, null, ("sec-fetch-site", site)], &body).await, StatusCode::FORBIDDEN, "{site}");
    }
    assert_eq!(leave(&[FORM], &body).await, StatusCode::FORBIDDEN, "neither header");
    let other_csrf = Console::demo().await.get("/console/members").await.csrf().to_owned();
    for without in ["", "csrf=", "csrf=x", &format!("csrf={other_csrf}"), &format!("token={csrf}")] {
        assert_eq!(leave(&[FORM, ("origin", &own)], without).await, StatusCode::FORBIDDEN, "{without}");
    }
    let text = ("content-type", "text/plain");
    assert_eq!(leave(&[text, ("origin", &own)], &body).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    assert_eq!(leave(&[FORM, null, same], &body).await, StatusCode::SEE_OTHER);
    let page = console.send(Method::POST, "/console/leave", &[FORM, ("origin", &own)], &body).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "the session has ended, and a new one has another token");
}

#[tokio::test]
async fn every_page_has_a_strict_policy_and_is_not_kept() {
    let console = Console::demo().await;
    let others =
        ["/console/none", "/console/enter?token=x", "/console/assets/console.css", "/console/member?account=x"];
    for path in PAGES.into_iter().chain(others).chain(["/console"]) {
        let page = console.get(path).await;
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
            connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(page.header("content-security-policy"), policy, "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("access-control-allow-origin"), "", "{path}");
        for inline in ["<script>", " style=", " onclick=", "javascript:"] {
            assert!(!page.text.contains(inline), "{path}: {inline}");
        }
    }
    for path in PAGES {
        assert_eq!(console.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_console_is_never_public() {
    let refused = bare_punchcard(&["console", "--addr", "0.0.0.0:0", "--data", "."]).await;
    assert!(!refused.succeeded && refused.errors.contains("requires a loopback address"), "{}", refused.errors);
    let running = Running::start(&["serve", "--memory", "--addr", "0.0.0.0:0"], "Ctrl-C").await;
    assert!(!running.said.contains("/console/enter"), "{}", running.said);
    let port = running.said.split("http://0.0.0.0:").nth(1).and_then(|rest| rest.split_whitespace().next());
    let url = format!("http://127.0.0.1:{}/console/members", port.expect("a port"));
    let response = client().get(url).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
