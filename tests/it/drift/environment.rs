//! The conditions that a function runs under: its environment variables, its runtime, its timeout.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use punchcard_runtime::{BATCH_LIMIT, QUARANTINE_LIMIT, REQUEST_LIMIT};
use saphyr::Yaml;

use super::{
    choices, is_on_streams, members, property, quarantine::is_quarantined, template, template_functions, text, untagged,
};

/// Variables that the code reads and the template leaves out, each with its reason.
const NOT_IN_THE_TEMPLATE: [(&str, &str); 6] = [
    ("AWS_ENDPOINT_URL_DYNAMODB", "the SDK's own name of DYNAMODB_ENDPOINT, which the template has"),
    ("AWS_ENDPOINT_URL_S3", "the SDK's own name, read by the operator's commands only"),
    ("AWS_ENDPOINT_URL_STS", "the SDK's own name, read by the operator's commands only"),
    ("AWS_REGION", "Lambda sets it, and refuses a template that does"),
    ("RUST_LOG", "unset means info; an operator sets it to look closer"),
    ("SSL_CERT_FILE", "for a DynamoDB that is not AWS's, in tests"),
];

/// The longest that the gateway waits for a function: "Maximum integration timeout"
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The variables of a function, with their values.
pub fn variables(template: &Yaml, function: &Yaml) -> BTreeMap<String, String> {
    let shared = members(template, &["Globals", "Function", "Environment", "Variables"]);
    let own = members(function, &["Properties", "Environment", "Variables"]);
    // Of a condition, what is set where it holds.
    let value = |node: &Yaml| {
        let node = choices(node).map_or(node, |choices| &choices[0]);
        untagged(node).as_str().expect("text").to_owned()
    };
    shared.into_iter().chain(own).map(|(name, node)| (name, value(node))).collect()
}

/// The namespace of the metrics, which is the same for all functions.
pub fn namespace() -> String {
    let template = template();
    let functions = template_functions().into_values();
    let namespaces: BTreeSet<_> =
        functions.map(|function| variables(&template, &function)["METRICS_NAMESPACE"].clone()).collect();
    assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    namespaces.into_iter().next().expect("a namespace")
}

/// The environment variables that a function reads: every string in capitals and underscores of a source file of its own
/// or of what functions share that reads the environment.
fn read_by_the_code(function: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut read = BTreeSet::new();
    // The other functions do not run this file.
    let runs = |path: &Path| is_quarantined(function) || !path.ends_with("runtime/src/quarantine.rs");
    collect(&root.join("functions").join(function).join("src"), &runs, &mut read);
    for package in fs::read_dir(root.join("shared")).expect("a folder of packages") {
        collect(&package.expect("an entry").path().join("src"), &runs, &mut read);
    }
    read
}

fn collect(folder: &Path, runs: &impl Fn(&Path) -> bool, read: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("an entry").path()).filter(|path| runs(path)) {
        if path.is_dir() {
            collect(&path, runs, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source file");
            let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            if source.contains("env::var") || source.contains("_variable(") {
                let is_code = |line: &&str| !line.trim_start().starts_with("//");
                let strings = source.lines().filter(is_code).flat_map(|line| line.split('"').skip(1).step_by(2));
                read.extend(strings.filter(|text| is_variable(text)).map(str::to_owned));
            }
        }
    }
}

fn is_variable(text: &str) -> bool {
    text.contains('_') && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_variable_that_the_code_reads_is_in_the_template_and_no_other() {
    let template = template();
    let elsewhere: BTreeSet<_> = NOT_IN_THE_TEMPLATE.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (binary, function) in template_functions() {
        let read = read_by_the_code(&binary);
        assert!(elsewhere.is_subset(&read), "no longer read: {:?}", &elsewhere - &read);
        let set: BTreeSet<_> = variables(&template, &function).into_keys().collect();
        assert_eq!(set, &read - &elsewhere, "{binary}");
    }
}

/// Lambda refuses variables under its own names
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>).
#[test]
fn no_variable_has_a_name_that_lambda_keeps_to_itself() {
    let template = template();
    for (binary, function) in template_functions() {
        for name in variables(&template, &function).keys() {
            let reserved = name.starts_with("AWS_") || name.starts_with("LAMBDA_") || name.starts_with('_');
            assert!(!reserved && name != "TZ", "{binary}: {name}");
        }
    }
}

#[test]
fn a_function_is_given_more_time_than_its_work_may_take_and_less_than_the_gateway_waits() {
    let template = template();
    for (binary, function) in template_functions() {
        let timeout = property(&template, &function, &["Timeout"]).and_then(Yaml::as_integer).expect("a timeout");
        let timeout = Duration::from_secs(timeout.unsigned_abs());
        let limit = match is_on_streams(&function) {
            true => BATCH_LIMIT,
            false if is_quarantined(&binary) => REQUEST_LIMIT + QUARANTINE_LIMIT,
            false => REQUEST_LIMIT,
        };
        assert!(timeout > limit, "{binary} is ended after {timeout:?}, but may take {limit:?}");
        let is_awaited = !is_on_streams(&function);
        assert!(!is_awaited || timeout < INTEGRATION_TIMEOUT, "{binary}: the gateway answers before its {timeout:?}");
    }
}

#[test]
fn every_function_is_a_rust_binary_on_lambdas_plain_runtime() {
    let template = template();
    for (binary, function) in template_functions() {
        let is = |path: &[&str]| property(&template, &function, path).and_then(Yaml::as_str).map(str::to_owned);
        assert_eq!(is(&["Runtime"]).as_deref(), Some("provided.al2023"), "{binary}");
        // Lambda starts the file of this name, which is what cargo-lambda builds.
        assert_eq!(is(&["Handler"]).as_deref(), Some("bootstrap"), "{binary}");
        assert_eq!(text(&function, &["Metadata", "BuildMethod"]), "rust-cargolambda", "{binary}");
    }
}
