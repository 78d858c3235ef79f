//! Functions and routes: the same in the template, in the workspace and in `serve`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use punchcard::registry::HANDLERS;
use punchcard_http::route::ROUTES;
use serde_json::Value;

use super::{members, referred, resources, routed_functions, tagged, template, template_functions, text};

/// A route of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub function: String,
    pub method: String,
    pub path: String,
}

/// Every route of the template.
pub fn routes() -> Vec<Route> {
    let apis = resources(&template(), "AWS::Serverless::HttpApi");
    let mut routes = Vec::new();
    for (function, resource) in routed_functions() {
        for (name, event) in members(&resource, &["Properties", "Events"]) {
            assert_eq!(text(event, &["Type"]), "HttpApi", "{function}: {name}");
            let api = tagged(event, &["Properties", "ApiId"]).and_then(referred);
            assert!(api.is_some_and(|api| apis.contains_key(api)), "{function}: {name}: {api:?}");
            let [method, path] = ["Method", "Path"].map(|member| text(event, &["Properties", member]));
            routes.push(Route { function: function.clone(), method, path });
        }
    }
    routes
}

#[test]
fn the_template_the_workspace_and_the_server_have_the_same_functions() {
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
    let deployed = template_functions();
    assert_eq!(deployed.keys().cloned().collect::<BTreeSet<_>>(), packages);
    for (binary, function) in deployed {
        assert_eq!(text(&function, &["Properties", "CodeUri"]), format!("functions/{binary}"));
    }
    let served: BTreeSet<_> = HANDLERS.iter().map(|handler| handler.route.function.to_owned()).collect();
    let routed: BTreeSet<_> = routed_functions().into_keys().collect();
    assert_eq!(served, routed);
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

#[test]
fn the_gateway_routes_to_each_function_what_serve_routes_to_it() {
    let mut served = BTreeSet::new();
    for route in ROUTES {
        for path in route.paths.iter().map(|path| path.template) {
            let any = route.answers_other_methods(path).then(|| "ANY".to_owned());
            served.extend([route.method.to_string()].into_iter().chain(any).map(|method| Route {
                function: route.function.to_owned(),
                method,
                path: (*path).to_owned(),
            }));
        }
    }
    assert_eq!(routes().into_iter().collect::<BTreeSet<_>>(), served);
}

#[test]
fn each_path_has_one_function_for_its_other_methods() {
    let mut any: BTreeMap<String, usize> = BTreeMap::new();
    for route in routes() {
        *any.entry(route.path).or_default() += usize::from(route.method == "ANY");
    }
    assert!(any.values().all(|count| *count == 1), "{any:?}");
}
