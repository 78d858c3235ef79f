//! The console: the real `punchcard`, over HTTP, as a browser and as others reach it.

mod backtests;
mod changes;
mod members;
mod security;
mod stack;

use reqwest::{
    Client, Method, StatusCode,
    header::{HeaderMap, SET_COOKIE},
    redirect::Policy,
};
use tempfile::TempDir;

use crate::serve::Running;

/// A console, and a browser with a session.
pub struct Console {
    pub running: Running,
    pub url: String,
    cookie: String,
    client: Client,
    /// The folder of the data, which is removed with it.
    _data: Option<TempDir>,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    /// The token that the page's forms carry.
    pub fn csrf(&self) -> &str {
        let (_, rest) = self.text.split_once("<meta name=\"csrf\" content=\"").expect("a token");
        rest.split_once('"').expect("its end").0
    }
}

pub fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client")
}

/// The link that a console printed.
pub fn link(said: &str) -> &str {
    said.split_whitespace().find(|word| word.contains("/console/enter?token=")).expect("a link")
}

impl Console {
    /// The console of `serve --demo`, which every browser of this machine can open.
    pub async fn demo() -> Self {
        let running = Running::serve(&["--demo", "--memory"]).await;
        let url = running.url().to_owned();
        let client = client();
        let entered = client.get(format!("{url}/console/members")).send().await.expect("an answer");
        let cookie = cookie(entered.headers());
        Console { running, url, cookie, client, _data: None }
    }

    /// The console of a plain `serve`, entered by its link.
    pub async fn serve(args: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let directory = data.path().to_str().expect("text");
        let running = Running::serve(&[&["--data", directory], args].concat()).await;
        let url = running.url().to_owned();
        let client = client();
        let entered = client.get(link(&running.said)).send().await.expect("an answer");
        assert_eq!(entered.status(), StatusCode::SEE_OTHER);
        let cookie = cookie(entered.headers());
        Console { running, url, cookie, client, _data: Some(data) }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[], "").await
    }

    /// Sends a form as the browser does: with the page's token.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.get("/console/members").await.csrf().to_owned();
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).append_pair("csrf", &csrf).finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send(Method::POST, path, &headers, &form).await
    }

    /// Sends a request with the browser's cookie.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        page(request.body(body.to_owned()).send().await.expect("an answer")).await
    }
}

pub async fn page(response: reqwest::Response) -> Page {
    let (status, headers) = (response.status(), response.headers().clone());
    Page { status, headers, text: response.text().await.expect("text") }
}

/// The cookie that a response sets, as a request sends it back.
fn cookie(headers: &HeaderMap) -> String {
    let set = headers.get(SET_COOKIE).expect("a cookie").to_str().expect("text");
    assert!(
        set.contains("; HttpOnly") && set.contains("; SameSite=Strict") && set.contains("; Path=/console"),
        "{set}"
    );
    set.split(';').next().expect("a pair").to_owned()
}
