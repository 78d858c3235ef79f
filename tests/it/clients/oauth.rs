//! OAuth 2.0 clients at the token endpoint. Clients of activities use any of them.

use reqwest::Method;

use super::{ClientCall, Effect, Response};

/// The token, and the scope granted: oauthlib warns if it is not the one requested.
const GRANTED: Response = Response::Members(&[
    ("access_token", None),
    ("token_type", Some("\"Bearer\"")),
    ("expires_in", Some("3600")),
    ("scope", Some("\"activities\"")),
]);

/// `demo-client:demo-secret`
const BASIC: (&str, &str) = ("Authorization", "Basic ZGVtby1jbGllbnQ6ZGVtby1zZWNyZXQ=");

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

const ACCEPT: (&str, &str) = ("Accept", "application/json");

const PYTHON: (&str, &str) = ("User-Agent", "python-requests/2.32.3");

const ENCODINGS: (&str, &str) = ("Accept-Encoding", "gzip, deflate");

pub const CALLS: &[ClientCall] = &[
    // requests/requests-oauthlib: requests_oauthlib/oauth2_session.py with oauthlib's BackendApplicationClient.
    ClientCall {
        client: "requests-oauthlib",
        call: "fetch_token",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[PYTHON, ENCODINGS, ACCEPT, FORM, BASIC],
        body: "grant_type=client_credentials",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // The same, of a client with scope=["read", "write"].
    ClientCall {
        client: "requests-oauthlib",
        call: "fetch_token with unknown scopes",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[PYTHON, ENCODINGS, ACCEPT, FORM, BASIC],
        body: "grant_type=client_credentials&scope=read+write",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // The same, with include_client_id=True.
    ClientCall {
        client: "requests-oauthlib",
        call: "fetch_token with the credentials in the body",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[PYTHON, ENCODINGS, ACCEPT, FORM],
        body: "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // The same, with auth=HTTPBasicAuth(…) and include_client_id=True.
    ClientCall {
        client: "requests-oauthlib",
        call: "fetch_token with the id twice",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[PYTHON, ENCODINGS, ACCEPT, FORM, BASIC],
        body: "grant_type=client_credentials&client_id=demo-client",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // authlib/authlib: authlib/oauth2/client.py, authlib/oauth2/auth.py, client_secret_basic.
    ClientCall {
        client: "Authlib",
        call: "fetch_token",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[
            PYTHON,
            ENCODINGS,
            ACCEPT,
            ("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"),
            BASIC,
        ],
        body: "grant_type=client_credentials&scope=activities+profile",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // The same, client_secret_post.
    ClientCall {
        client: "Authlib",
        call: "fetch_token with the credentials in the body",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[PYTHON, ENCODINGS, ACCEPT, ("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")],
        body: "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // lelylan/simple-oauth2: lib/client/request-options.js, lib/client/credentials-encoding.js.
    ClientCall {
        client: "simple-oauth2",
        call: "getToken",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[ACCEPT, FORM, BASIC],
        body: "grant_type=client_credentials&scope=activities",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
    // The same, with authorizationMethod: 'body' and scopes that are unknown here.
    ClientCall {
        client: "simple-oauth2",
        call: "getToken with the credentials in the body",
        method: Method::POST,
        path: "/oauth2/token",
        headers: &[ACCEPT, FORM],
        body: "grant_type=client_credentials&scope=%3Cscope%3E%20openid&client_id=demo-client&client_secret=demo-secret",
        status: 200,
        response: GRANTED,
        effect: Effect::AccessToken,
    },
];
