//! Credentials, region, endpoint and data directory: what an operator reads when one of them is wrong.

use axum::{Router, http::StatusCode, routing::any};
use serde_json::json;
use tokio::net::TcpListener;

use super::{bare, file, run};
use crate::support::app::App;

#[tokio::test]
async fn missing_credentials_region_and_profile_are_named() {
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    for (arguments, variables, part) in [
        (&["--region", "eu-west-1"][..], &[][..], "unable to locate credentials: use --profile"),
        (&[], &keys[..], "you must specify a region: use --region"),
        (
            &["--region", "eu-west-1", "--profile", "nope"],
            &keys,
            "profile \"nope\" could not be found or provides no credentials: ",
        ),
        (&["--endpoint-url", "localhost:8000"], &keys, "--endpoint-url must be a URL"),
    ] {
        let mut command = bare();
        command.args(["client", "list"]).args(arguments).envs(variables.iter().copied());
        let said = run(command).await;
        assert!(!said.succeeded && said.errors.contains(part), "{arguments:?}: {}", said.errors);
        assert_eq!(said.output, "");
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let mut command = bare();
    command.args(["client", "list", "--endpoint-url", &url]);
    let said = run(command).await;
    let part = format!("could not connect to {url}: connection refused");
    assert!(!said.succeeded && said.errors.contains(&part), "{}", said.errors);
}

/// A DynamoDB that refuses every call with an error code.
async fn refusing(code: &'static str) -> String {
    let body = json!({"__type": format!("com.amazon.coral.service#{code}"), "message": "no"}).to_string();
    let api = Router::new().fallback(any(move || async move {
        (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], body)
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, api).await });
    url
}

#[tokio::test]
async fn refused_credentials_denied_access_and_a_missing_stack_have_different_errors() {
    for (code, part) in [
        ("UnrecognizedClientException", "refused the credentials (UnrecognizedClientException)"),
        ("InvalidSignatureException", "refused the credentials (InvalidSignatureException)"),
        ("ExpiredTokenException", "the session token has expired"),
        ("AccessDeniedException", "denied access (AccessDeniedException)"),
        ("ResourceNotFoundException", "there is no table loyalty-Catalog at http://"),
    ] {
        let url = refusing(code).await;
        let mut command = bare();
        command.args(["client", "list", "--stack", "loyalty", "--endpoint-url", &url]);
        let said = run(command).await;
        assert!(!said.succeeded && said.errors.contains(part), "{code}: {}", said.errors);
    }
}

#[tokio::test]
async fn the_endpoint_comes_from_the_option_the_products_variable_the_sdks_or_the_profile() {
    let app = App::start().await;
    let stack = app.prefix.trim_end_matches('-');
    let endpoint = app.endpoint.as_str();
    let wrong = "http://127.0.0.1:1";
    let profile = file(&format!(
        "[profile local]\nregion = eu-west-1\nendpoint_url = {endpoint}\naws_access_key_id = test\n\
         aws_secret_access_key = test\n"
    ));
    let profile = profile.path().to_str().expect("a path");
    for (arguments, variables) in [
        (&["--endpoint-url", endpoint][..], &[("DYNAMODB_ENDPOINT", wrong)][..]),
        (&["--endpoint", endpoint], &[]),
        (&[], &[("DYNAMODB_ENDPOINT", endpoint), ("AWS_ENDPOINT_URL_DYNAMODB", wrong)]),
        (&[], &[("AWS_ENDPOINT_URL_DYNAMODB", endpoint), ("AWS_ENDPOINT_URL", wrong)]),
        (&[], &[("AWS_ENDPOINT_URL", endpoint)]),
        (&["--profile", "local"], &[("AWS_CONFIG_FILE", profile)]),
        (&[], &[("AWS_CONFIG_FILE", profile), ("AWS_PROFILE", "local")]),
    ] {
        let mut command = bare();
        command.args(["client", "list", "--json", "--stack", stack]).args(arguments).envs(variables.iter().copied());
        let listed = run(command).await.json();
        assert!(listed.as_array().is_some_and(|list| !list.is_empty()), "{arguments:?} {variables:?}: {listed}");
    }
}

#[tokio::test]
async fn a_directory_without_a_store_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a directory");
    let missing = folder.path().join("missing");
    let catalog = file("rewards: disabled\n");
    let catalog = catalog.path().to_str().expect("a path");
    for directory in [folder.path(), &missing] {
        for command in [
            &["client", "list"][..],
            &["client", "add", "app", "--for", "activities"],
            &["client", "revoke", "app"],
            &["catalog", "show"],
            &["catalog", "apply", catalog, "--yes"],
            &["key", "rotate"],
        ] {
            let mut punchcard = bare();
            punchcard.args(command).arg("--data").arg(directory);
            let said = run(punchcard).await;
            let part = format!("there is no store in {}", directory.display());
            assert!(!said.succeeded && said.errors.contains(&part), "{command:?}: {}", said.errors);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("the directory").count(), 0, "nothing is made");
}
