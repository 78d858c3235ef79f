//! The HTTP API's own rules for routes, headers and CORS. No linter and no stand-in here knows them: a template that
//! breaks one fails when it is deployed, or loses a header on its way.

use std::collections::{BTreeMap, BTreeSet};

use lambda_http::http::HeaderName;
use punchcard_http::route::ROUTES;
use reqwest::Method;
use saphyr::Yaml;

use super::{
    find, list, members, resources,
    routes::{Route, routes},
    template, template_functions,
};
use crate::support::{
    app::{Answer, App},
    description::{DOCUMENT, OPERATIONS, members as json_members},
};

/// The reason for which the gateway refuses a path, if it does.
///
/// - "The greedy path variable must be at the end of the resource path", and its name ends with `+`
///   (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>).
/// - "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning
///   and the end": the message of its `BadRequestException`. Names of variables here are held to the same characters
///   without the colon, which `serve` could not distinguish from the notation of other routers.
/// - `/ping` and `/sping` are for the gateway's own health checks
///   (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>).
fn refused_path(path: &str) -> Option<String> {
    let Some(path) = path.strip_prefix('/') else { return Some("is not absolute".to_owned()) };
    let parts: Vec<_> = path.split('/').collect();
    if matches!(parts[..], ["ping" | "sping", ..]) {
        return Some("is the gateway's own".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    for (index, part) in parts.iter().enumerate() {
        let variable = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let name = variable.unwrap_or(part);
        let greedy = variable.and_then(|name| name.strip_suffix('+'));
        if greedy.is_some() && index + 1 < parts.len() {
            return Some(format!("goes on after {part}"));
        }
        let name = greedy.unwrap_or(name);
        if name.is_empty() || !name.chars().all(|c| is_plain(c) || (c == ':' && variable.is_none())) {
            return Some(format!("has a part '{part}'"));
        }
    }
    None
}

/// Pairs of routes of which the gateway creates one: `ConflictException`, status 409.
///
/// - Two variable names at one level below the same path: "The provided route key … has a conflicting variable on the
///   same hierarchical level as …".
/// - Two routes with the same method and path, under any names of the variables. Case counts, in the path too.
fn conflicts(routes: &[Route]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut variables: BTreeMap<String, &str> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for Route { method, path, .. } in routes {
        let mut level = String::new();
        for part in path.split('/').skip(1) {
            level.push('/');
            if part.starts_with('{') {
                let first = *variables.entry(level.clone()).or_insert(part);
                if first != part {
                    found.insert(format!("{first} and {part} below {level}"));
                }
                level.push_str("{}");
            } else {
                level.push_str(part);
            }
        }
        if !keys.insert((method, level)) {
            found.insert(format!("{method} {path} twice"));
        }
    }
    found
}

fn route(method: &str, path: &str) -> Route {
    Route { function: "f".to_owned(), method: method.to_owned(), path: path.to_owned() }
}

#[test]
fn the_gateway_takes_every_path() {
    for Route { function, path, .. } in routes() {
        assert_eq!(refused_path(&path), None, "{function}: {path}");
    }
}

#[test]
fn a_path_that_the_gateway_refuses_is_found() {
    for path in ["a", "/", "/a/", "/a//b", "/a b", "/{a", "/{}", "/{a:b}", "/a{b}", "/{a+}/b", "/ping", "/ü", "/*"] {
        assert!(refused_path(path).is_some(), "{path}");
    }
    for path in ["/a", "/v3.0/A_b-c", "/{a.b_c-D9}/x", "/a/{proxy+}", "/a:b"] {
        assert_eq!(refused_path(path), None, "{path}");
    }
}

#[test]
fn the_gateway_finds_no_conflict_between_routes() {
    assert_eq!(conflicts(&routes()), BTreeSet::new());
}

#[test]
fn a_conflict_between_routes_is_found() {
    for (first, second) in [
        (("POST", "/users/{identifier}/sessions"), ("GET", "/users/{correlation_id}/balances")),
        (("POST", "/{a}/x/{b}"), ("POST", "/{a}/x/{c}")),
        (("POST", "/x/{a}"), ("POST", "/x/{a+}")),
        (("POST", "/x/{a}"), ("POST", "/x/{a}")),
        (("ANY", "/x"), ("ANY", "/x")),
    ] {
        assert_eq!(conflicts(&[route(first.0, first.1), route(second.0, second.1)]).len().min(1), 1, "{first:?}");
    }
    let apart = [("POST", "/x/{a}/y"), ("ANY", "/x/{a}/y"), ("POST", "/X/{b}/y"), ("GET", "/z/{c}"), ("GET", "/x/{a}")];
    assert_eq!(conflicts(&apart.map(|(method, path)| route(method, path))), BTreeSet::new());
}

/// "Routes per API", and one integration for each function
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
#[test]
fn there_are_no_more_routes_and_integrations_than_an_api_may_have() {
    assert!(routes().len() <= 300 && template_functions().len() <= 300);
}

/// The gateway matches paths by case, and knows no other path with a slash at its end.
#[tokio::test]
async fn serve_matches_paths_as_exactly_as_the_gateway() {
    let app = App::start().await;
    let known: BTreeSet<_> = routes().into_iter().map(|route| route.path).collect();
    for path in &known {
        for other in [path.to_uppercase(), path.to_lowercase(), format!("{path}/")] {
            // A variable takes its own name as a value.
            let as_route = |path: &str| {
                path.split('/')
                    .map(|part| if part.starts_with('{') { "{}" } else { part }.to_owned())
                    .collect::<Vec<_>>()
            };
            if !known.iter().any(|known| as_route(known) == as_route(&other)) {
                let path = other.replace(['{', '}'], "");
                let answer = app.send(Method::DELETE, &path, &[], "").await;
                assert_eq!(answer.status, 404, "{path}: {}", answer.body);
            }
        }
    }
}

/// Of the two kinds of gateway, REST APIs rename `WWW-Authenticate`, `Date`, `Server` and others in a response to
/// `x-amzn-Remapped-…`, and so do Lambda's function URLs; the table of renamed headers is not HTTP APIs'
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>).
#[test]
fn nothing_answers_but_the_http_api_which_renames_no_headers() {
    let template = template();
    let entrances: BTreeSet<_> = members(&template, &["Resources"])
        .into_values()
        .map(|resource| super::text(resource, &["Type"]))
        .filter(|resource| ["Api", "ApiGateway", "Url", "LoadBalancing"].iter().any(|part| resource.contains(part)))
        .collect();
    assert_eq!(entrances, BTreeSet::from(["AWS::Serverless::HttpApi".to_owned()]));
    for (binary, function) in template_functions() {
        assert!(find(&function, &["Properties", "FunctionUrlConfig"]).is_none(), "{binary}");
        assert!(find(&template, &["Globals", "Function", "FunctionUrlConfig"]).is_none());
    }
}

/// Headers of a response that the gateway drops, sets itself or keeps to itself: those that belong to one connection
/// (RFC 9110, section 7.6.1), those that it answers with of its own, and those that it lists as reserved
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html#http-api-mapping-reserved-headers>).
/// CORS headers are in that list too: the gateway replaces them by its configuration's, which is compared below.
fn gateways_own(header: &HeaderName) -> bool {
    let name = header.as_str();
    let exact = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "date",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    exact.contains(&name) || ["apigw-", "x-amz-", "x-amzn-", "x-forwarded-"].iter().any(|kind| name.starts_with(kind))
}

/// `x-amzn-RequestId` is the one exception: the vendor's clients read the request's id under this name. The list
/// forbids mapping it by configuration; nothing is documented for a function's own header. `docs/operations.md` has the
/// operator look once.
#[test]
fn no_response_has_a_header_that_the_gateway_keeps_to_itself() {
    let headers = json_members(&DOCUMENT["components"]["headers"]).map(|(name, _)| name);
    let own: BTreeSet<_> = headers.filter(|name| gateways_own(&name.parse().expect("a header's name"))).collect();
    assert_eq!(own, BTreeSet::from(["x-amzn-RequestId"]));
}

/// The values of a CORS header, in lower case.
fn values(answer: &Answer, header: &str) -> BTreeSet<String> {
    let value = answer.header(header).unwrap_or_else(|| panic!("no {header}"));
    value.split(',').map(|value| value.trim().to_lowercase()).collect()
}

/// "If you configure CORS for an API, API Gateway automatically sends a response to preflight OPTIONS requests" and
/// "ignores CORS headers returned from your backend integration"
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>): browsers see the template's
/// lists, and never those of the functions.
#[tokio::test]
async fn the_gateway_answers_browsers_as_the_functions_do() {
    let template = template();
    let (_, api) = resources(&template, "AWS::Serverless::HttpApi").pop_first().expect("an API");
    let cors = find(&api, &["Properties", "CorsConfiguration"]).expect("a CORS configuration");
    let configured = |name: &str| -> BTreeSet<String> {
        list(cors, &[name]).iter().map(|value| value.as_str().expect("text").to_lowercase()).collect()
    };
    let app = App::start().await;
    for route in ROUTES {
        for path in route.paths.iter().map(|path| path.template).filter(|path| route.answers_other_methods(path)) {
            let path = path.replace(['{', '}'], "");
            let asked = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
            let preflight = app.send(Method::OPTIONS, &path, &asked, "").await;
            assert_eq!(values(&preflight, "access-control-allow-headers"), configured("AllowHeaders"), "{path}");
            assert_eq!(values(&preflight, "access-control-allow-methods"), configured("AllowMethods"), "{path}");
            let age = find(cors, &["MaxAge"]).and_then(Yaml::as_integer).expect("an age");
            assert_eq!(preflight.header("access-control-max-age"), Some(age.to_string().as_str()), "{path}");
            assert!((0..=86_400).contains(&age), "the gateway takes no more than a day");
            // Any request has the other two: this one is refused.
            let answer = app.send(Method::DELETE, &path, &[], "").await;
            for answer in [preflight, answer] {
                assert_eq!(values(&answer, "access-control-allow-origin"), configured("AllowOrigins"), "{path}");
                assert_eq!(values(&answer, "access-control-expose-headers"), configured("ExposeHeaders"), "{path}");
            }
        }
    }
    let credentials = find(cors, &["AllowCredentials"]).and_then(Yaml::as_bool).unwrap_or(false);
    assert!(!credentials || !configured("AllowOrigins").contains("*"), "browsers refuse credentials for any origin");
}

#[tokio::test]
async fn browsers_may_send_every_method_and_header_that_is_described() {
    let template = template();
    let (_, api) = resources(&template, "AWS::Serverless::HttpApi").pop_first().expect("an API");
    let configured = |name: &str| -> BTreeSet<String> {
        let values = list(&api, &["Properties", "CorsConfiguration", name]).iter();
        values.map(|value| value.as_str().expect("text").to_lowercase()).collect()
    };
    let mut headers = BTreeSet::from(["authorization".to_owned(), "content-type".to_owned()]);
    headers.extend(
        json_members(&DOCUMENT["components"]["securitySchemes"])
            .filter(|(_, scheme)| scheme["in"] == "header")
            .map(|(_, scheme)| scheme["name"].as_str().expect("a name").to_lowercase()),
    );
    let mut methods = BTreeSet::from(["options".to_owned()]);
    for operation in OPERATIONS.iter() {
        methods.insert(operation.method.as_str().to_lowercase());
        let described = operation.parameters.iter().filter(|parameter| parameter.is_header);
        headers.extend(described.map(|parameter| parameter.name.to_lowercase()));
    }
    let missing: BTreeSet<_> = &headers - &configured("AllowHeaders");
    assert!(missing.is_empty(), "browsers can't send {missing:?}");
    assert_eq!(configured("AllowMethods"), methods);
}
