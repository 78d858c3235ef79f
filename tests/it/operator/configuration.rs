//! Configuration errors of the command line and of the functions.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use super::{Said, bare, run};
use crate::support::{app::App, binaries::binary, lambda::Function};

const NOT_PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// A setting that ends the start, and a part of the message.
const INVALID: [(&str, &str, &str); 4] = [
    ("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE: cannot read /no/such/file: No such file"),
    ("SSL_CERT_FILE", NOT_PEM, "is not a PEM file with certificates"),
    ("RUST_LOG", "punchcard=loud", "RUST_LOG must be a level"),
    ("DYNAMODB_ENDPOINT", "localhost:8000", "DYNAMODB_ENDPOINT must be a URL"),
];

#[tokio::test]
async fn an_invalid_setting_ends_a_command() {
    for (name, value, part) in INVALID {
        let mut command = bare();
        command.args(["client", "list", "--region", "eu-west-1"]).env(name, value);
        let said = run(command).await;
        assert!(!said.succeeded && said.errors.contains(part), "{name}={value}: {}", said.errors);
    }
    let mut command = bare();
    command.args(["serve", "--memory", "--addr", "127.0.0.1:0"]).env("RUST_LOG", "punchcard=loud");
    let said = run(command).await;
    assert!(!said.succeeded && said.errors.contains("RUST_LOG must be a level"), "{}", said.errors);
}

/// A function without a Runtime API: it must end before it needs one.
async fn function(variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(binary("issue-token"));
    command.env_clear().envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = output.expect("the function ends").expect("the function runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { succeeded: output.status.success(), output: text(output.stdout), errors: text(output.stderr) }
}

#[tokio::test]
async fn an_invalid_setting_ends_the_start_of_a_function() {
    let valid = [("TABLE_PREFIX", "p-"), ("AWS_REGION", "eu-west-1"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")];
    for (name, value, part) in INVALID {
        let said = function(&[&valid[..], &[(name, value)]].concat()).await;
        assert!(!said.succeeded && said.errors.contains(part), "{name}={value}: {}", said.errors);
    }
    for prefix in [&[][..], &[("TABLE_PREFIX", "")]] {
        let said = function(&[&valid[1..], prefix].concat()).await;
        assert!(!said.succeeded && said.errors.contains("TABLE_PREFIX is not set"), "{}", said.errors);
    }
}

#[tokio::test]
async fn a_store_that_is_not_reached_does_not_end_the_start_of_a_function() {
    let mut app = App::start().await;
    app.endpoint = "http://127.0.0.1:1".to_owned();
    let mut function = Function::start("issue-token", &app).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(function.is_running(), "it ended");
}
