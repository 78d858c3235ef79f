//! `template.yaml`, compared with what the code does and with the rules of the services that it is deployed to.
//!
//! Nothing else here enforces those rules: the local stand-ins accept templates that AWS refuses, and let through
//! requests that IAM denies. Parts that need a running function are in `functions`.

mod archive;
mod environment;
mod gateway;
mod limits;
mod links;
mod logs;
pub mod metrics;
mod openapi;
pub mod policies;
pub mod quarantine;
mod readme;
mod routes;
mod streams;
mod tables;

use std::{collections::BTreeMap, fs, sync::LazyLock};

use saphyr::{LoadableYamlNode as _, Yaml};

pub use environment::namespace;
pub use logs::lambda_drops;
pub use tables::partition_keys;

/// Read when the tests run: a change of the template needs no build to be checked.
static TEMPLATE: LazyLock<String> = LazyLock::new(|| {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("the template")
});

/// The prefix of every name that has to be unique in an account.
const STACK: &str = "${AWS::StackName}-";

/// A node without its tag.
fn untagged<'t, 'y>(node: &'t Yaml<'y>) -> &'t Yaml<'y> {
    match node {
        Yaml::Tagged(_, node) => node,
        node => node,
    }
}

/// The argument of an intrinsic function: `Api` of `!Ref Api`.
fn argument<'t, 'y>(node: &'t Yaml<'y>, intrinsic: &str) -> Option<&'t Yaml<'y>> {
    match node {
        Yaml::Tagged(tag, node) if tag.suffix == intrinsic => Some(node),
        _ => None,
    }
}

/// The resource or parameter that a node refers to by `!Ref`.
fn referred<'t>(node: &'t Yaml) -> Option<&'t str> {
    argument(node, "Ref").and_then(Yaml::as_str)
}

/// The node at the end of a path, with its tag.
fn tagged<'t, 'y>(node: &'t Yaml<'y>, path: &[&str]) -> Option<&'t Yaml<'y>> {
    path.iter().try_fold(node, |node, name| untagged(node).as_mapping_get(name))
}

/// The node at the end of a path, without its tag.
fn find<'t, 'y>(node: &'t Yaml<'y>, path: &[&str]) -> Option<&'t Yaml<'y>> {
    tagged(node, path).map(untagged)
}

fn text(node: &Yaml, path: &[&str]) -> String {
    find(node, path).and_then(Yaml::as_str).unwrap_or_else(|| panic!("no text at {path:?}")).to_owned()
}

fn number(node: &Yaml, path: &[&str]) -> i64 {
    find(node, path).and_then(Yaml::as_integer).unwrap_or_else(|| panic!("no number at {path:?}"))
}

/// The nodes of a list; none if it is absent.
fn list<'t, 'y>(node: &'t Yaml<'y>, path: &[&str]) -> &'t [Yaml<'y>] {
    find(node, path).and_then(Yaml::as_sequence).map_or(&[], Vec::as_slice)
}

/// A text, or each of a list.
fn texts(node: &Yaml) -> Vec<String> {
    let one = std::slice::from_ref(node);
    let nodes = node.as_sequence().map_or(one, Vec::as_slice);
    nodes.iter().map(|node| untagged(node).as_str().expect("text").to_owned()).collect()
}

/// The members of a mapping, by name; none if it is absent.
fn members<'t, 'y>(node: &'t Yaml<'y>, path: &[&str]) -> BTreeMap<String, &'t Yaml<'y>> {
    let members = find(node, path).and_then(Yaml::as_mapping).into_iter().flatten();
    members.map(|(name, member)| (name.as_str().expect("a name").to_owned(), member)).collect()
}

fn template() -> Yaml<'static> {
    Yaml::load_from_str(&TEMPLATE).expect("YAML").remove(0)
}

/// The resources of a type, by name.
fn resources(template: &Yaml<'static>, resource_type: &str) -> BTreeMap<String, Yaml<'static>> {
    members(template, &["Resources"])
        .into_iter()
        .filter(|(_, resource)| text(resource, &["Type"]) == resource_type)
        .map(|(name, resource)| (name, resource.clone()))
        .collect()
}

/// The functions, by the name of their binary.
fn template_functions() -> BTreeMap<String, Yaml<'static>> {
    let functions = resources(&template(), "AWS::Serverless::Function");
    let count = functions.len();
    let by_binary: BTreeMap<_, _> = functions
        .into_iter()
        .map(|(name, function)| {
            let binary = text(&function, &["Metadata", "BuildProperties", "Binary"]);
            assert_eq!(name, resource_name(&binary), "a resource is named after its binary");
            (binary, function)
        })
        .collect();
    assert_eq!(by_binary.len(), count, "each function has a binary of its own");
    by_binary
}

/// The functions behind the gateway, by the name of their binary.
fn routed_functions() -> BTreeMap<String, Yaml<'static>> {
    template_functions().into_iter().filter(|(_, function)| !is_on_streams(function)).collect()
}

/// True if streams invoke the function, not the gateway.
fn is_on_streams(function: &Yaml) -> bool {
    members(function, &["Properties", "Events"]).values().all(|event| text(event, &["Type"]) == "DynamoDB")
}

/// The resource of a function's binary: `SendActivity` of `send-activity`.
pub fn resource_name(binary: &str) -> String {
    binary.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

/// A function's property: its own, or the one that all functions have.
fn property<'t, 'y>(template: &'t Yaml<'y>, function: &'t Yaml<'y>, path: &[&str]) -> Option<&'t Yaml<'y>> {
    let own = [&["Properties"], path].concat();
    let shared = [&["Globals", "Function"], path].concat();
    tagged(function, &own).or_else(|| tagged(template, &shared))
}

/// The two choices of an `!If`.
fn choices<'t, 'y>(node: &'t Yaml<'y>) -> Option<&'t [Yaml<'y>]> {
    argument(node, "If").and_then(Yaml::as_sequence).map(|parts| &parts[1..])
}

/// Every text in a tree of nodes.
fn every_text(node: &Yaml, found: &mut Vec<String>) {
    match untagged(node) {
        Yaml::Mapping(members) => members.iter().for_each(|(_, member)| every_text(member, found)),
        Yaml::Sequence(nodes) => nodes.iter().for_each(|node| every_text(node, found)),
        node => found.extend(node.as_str().map(str::to_owned)),
    }
}
