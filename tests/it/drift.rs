//! `template.yaml`, the workspace and what `serve` serves: that they are one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    time::Duration,
};

use punchcard::{registry::HANDLERS, tables};
use punchcard_http::route::ROUTES;
use punchcard_runtime::REQUEST_LIMIT;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../template.yaml");

/// A value without its tag.
fn untagged<'t, 'y>(node: &'t Yaml<'y>) -> &'t Yaml<'y> {
    match node {
        Yaml::Tagged(_, node) => node,
        node => node,
    }
}

/// The value at the end of a path, if it is there.
fn find<'t, 'y>(node: &'t Yaml<'y>, path: &[&str]) -> Option<&'t Yaml<'y>> {
    path.iter().try_fold(node, |node, name| node.as_mapping_get(name)).map(untagged)
}

fn text(node: &Yaml, path: &[&str]) -> String {
    find(node, path).and_then(Yaml::as_str).unwrap_or_else(|| panic!("no text at {path:?}")).to_owned()
}

/// One value, or each of a list.
fn texts(node: &Yaml) -> Vec<String> {
    let one = std::slice::from_ref(node);
    let nodes = node.as_sequence().map_or(one, Vec::as_slice);
    nodes.iter().map(|node| untagged(node).as_str().expect("text").to_owned()).collect()
}

fn template() -> Yaml<'static> {
    Yaml::load_from_str(TEMPLATE).expect("YAML").remove(0)
}

/// The resources of a type, with their names.
fn resources(template: &Yaml<'static>, resource_type: &str) -> Vec<(String, Yaml<'static>)> {
    let resources = find(template, &["Resources"]).and_then(Yaml::as_mapping).expect("resources").iter();
    resources
        .filter(|(_, resource)| text(resource, &["Type"]) == resource_type)
        .map(|(name, resource)| (name.as_str().expect("a name").to_owned(), resource.clone()))
        .collect()
}

/// The functions by their binary's name.
fn template_functions() -> BTreeMap<String, Yaml<'static>> {
    let functions = resources(&template(), "AWS::Serverless::Function");
    let count = functions.len();
    let by_binary: BTreeMap<_, _> = functions
        .into_iter()
        .map(|(name, function)| {
            let binary = text(&function, &["Metadata", "BuildProperties", "Binary"]);
            let parts = binary.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
            assert_eq!(name, parts.collect::<String>(), "a resource has its binary's name");
            (binary, function)
        })
        .collect();
    assert_eq!(by_binary.len(), count, "a binary is one function's");
    by_binary
}

/// What a function's policies allow: each as action, table, and part of the catalog where it matters.
pub fn policy(function: &str) -> BTreeSet<(String, String, Option<String>)> {
    let template = template_functions();
    let policies = find(&template[function], &["Properties", "Policies"]).and_then(Yaml::as_sequence);
    let mut allowed = BTreeSet::new();
    for policy in policies.expect("policies") {
        for statement in find(policy, &["Statement"]).and_then(Yaml::as_sequence).expect("statements") {
            assert_eq!(text(statement, &["Effect"]), "Allow");
            let parts = find(statement, &["Condition", "ForAllValues:StringEquals", "dynamodb:LeadingKeys"]);
            let parts = parts.map_or(vec![None], |parts| texts(parts).into_iter().map(Some).collect());
            for action in texts(find(statement, &["Action"]).expect("actions")) {
                assert!(!action.contains('*'), "{action}");
                for resource in texts(find(statement, &["Resource"]).expect("a resource")) {
                    let table = resource.strip_suffix(".Arn").unwrap_or_else(|| panic!("{resource} is no table"));
                    for part in &parts {
                        allowed.insert((action.clone(), table.to_owned(), part.clone()));
                    }
                }
            }
        }
    }
    allowed
}

#[tokio::test]
async fn the_template_the_workspace_and_the_server_have_the_same_functions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let packages: BTreeSet<_> = fs::read_dir(folder)
        .expect("the folder of functions")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| {
            let folder = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
            assert!(manifest.lines().any(|line| line == format!("name = \"{folder}\"")), "{folder} has another name");
            assert!(path.join("src/main.rs").is_file(), "{folder} has no binary");
            folder
        })
        .collect();
    assert_eq!(template_functions().into_keys().collect::<BTreeSet<_>>(), packages);
    let served: BTreeSet<_> = HANDLERS.iter().map(|handler| handler.route.function.to_owned()).collect();
    assert_eq!(served, packages);
}

#[test]
fn every_package_is_held_to_the_workspaces_lints() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let lints = fs::read_to_string(format!("{root}/Cargo.toml")).expect("a manifest");
    assert!(lints.contains("[workspace.lints.rust]") && lints.contains("unsafe_code = \"forbid\""));
    let metadata = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let metadata = Command::new(env!("CARGO")).args(metadata).current_dir(root).output().expect("cargo");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > template_functions().len());
    for package in packages {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = fs::read_to_string(manifest).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true\n"), "{manifest} is not");
    }
}

#[tokio::test]
async fn the_template_routes_to_each_function_what_the_server_routes_to_it() {
    let mut served: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for route in ROUTES {
        let routes = served.entry(route.function.to_owned()).or_default();
        for path in route.paths {
            routes.insert((route.method.to_string(), (*path).to_owned()));
            if route.answers_other_methods(path) {
                routes.insert(("ANY".to_owned(), (*path).to_owned()));
            }
        }
    }
    let mut any: BTreeMap<String, usize> = BTreeMap::new();
    let mut deployed: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (binary, function) in template_functions() {
        let events = find(&function, &["Properties", "Events"]).and_then(Yaml::as_mapping).expect("events");
        for (name, event) in events {
            assert_eq!(text(event, &["Type"]), "HttpApi", "{binary}: {name:?}");
            let (method, path) = (text(event, &["Properties", "Method"]), text(event, &["Properties", "Path"]));
            let api = text(event, &["Properties", "ApiId"]);
            assert!(resources(&template(), "AWS::Serverless::HttpApi").iter().any(|(name, _)| *name == api), "{api}");
            *any.entry(path.clone()).or_default() += usize::from(method == "ANY");
            let first = deployed.entry(binary.clone()).or_default().insert((method, path));
            assert!(first, "{binary}: {name:?} is there twice");
        }
    }
    assert_eq!(deployed, served);
    assert!(any.values().all(|count| *count == 1), "each path has one function for other methods: {any:?}");
}

#[tokio::test]
async fn a_function_has_the_environment_that_it_reads_and_time_for_what_it_may_take() {
    let template = template();
    let globals = find(&template, &["Globals", "Function"]).expect("what all functions have");
    for (binary, function) in template_functions() {
        let own = find(&function, &["Properties"]).expect("properties");
        let either = |path: &[&str]| find(own, path).or_else(|| find(globals, path));
        let prefix = either(&["Environment", "Variables", "TABLE_PREFIX"]).and_then(Yaml::as_str);
        assert_eq!(prefix, Some("${AWS::StackName}-"), "{binary}");
        let timeout = either(&["Timeout"]).and_then(Yaml::as_integer).expect("a timeout");
        let timeout = Duration::from_secs(timeout.unsigned_abs());
        assert!(timeout > REQUEST_LIMIT, "{binary} is cut off after {timeout:?}, but may take {REQUEST_LIMIT:?}");
        assert_eq!(either(&["Runtime"]).and_then(Yaml::as_str), Some("provided.al2023"), "{binary}");
        assert_eq!(text(&function, &["Metadata", "BuildMethod"]), "rust-cargolambda", "{binary}");
    }
}

/// What an `!If` chooses between.
fn choices<'y>(node: &'y Yaml<'y>) -> Option<&'y [Yaml<'y>]> {
    node.as_sequence().map(|parts| &parts[1..])
}

#[tokio::test]
async fn every_table_is_used_and_kept_and_every_policy_names_a_table() {
    let tables: BTreeMap<_, _> = resources(&template(), "AWS::DynamoDB::Table").into_iter().collect();
    for (name, table) in &tables {
        let at = |path: &[&str]| find(table, path).and_then(Yaml::as_bool);
        assert_eq!(text(table, &["Properties", "TableName"]), format!("${{AWS::StackName}}-{name}"));
        assert_eq!(text(table, &["Properties", "BillingMode"]), "PAY_PER_REQUEST", "{name}");
        assert_eq!(text(table, &["DeletionPolicy"]), "Retain", "{name}");
        let recovery = ["Properties", "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"];
        assert_eq!(at(&recovery), Some(true), "{name}");
        let encryption = find(table, &["Properties", "SSESpecification"]).and_then(choices).expect("an !If");
        for choice in encryption {
            assert_eq!(find(choice, &["SSEEnabled"]).and_then(Yaml::as_bool), Some(true), "{name}");
        }
        assert_eq!(text(table, &["Properties", "DeletionProtectionEnabled"]), "DeletionProtection", "{name}");
    }
    let names: BTreeSet<_> = tables.into_keys().collect();
    let made: BTreeSet<_> = tables::of_template().expect("tables").into_iter().map(|(name, _)| name).collect();
    assert_eq!(made, names, "those that the embedded store gets");
    let used: BTreeSet<_> =
        template_functions().keys().flat_map(|name| policy(name)).map(|(_, table, _)| table).collect();
    assert_eq!(used, names, "those that functions may use");
}
