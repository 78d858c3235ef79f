//! `openapi.json`, read: what it says of a request and its answer, and [`check`], which holds every request that any test
//! sends over HTTP, and its answer, against that.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::LazyLock,
};

use flate2::read::MultiGzDecoder;
use jsonschema::Validator;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::support::app::Answer;

/// Headers of HTTP itself, which a description does not list.
const TRANSPORT: [&str; 5] = ["connection", "content-length", "content-type", "date", "transfer-encoding"];

pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../openapi.json")).expect("JSON"));

pub static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(operations);

/// The headers that answers have, in lower case: whether such an answer always has it, and what it says.
static HEADERS: LazyLock<BTreeMap<String, (bool, Validator)>> = LazyLock::new(|| {
    let headers = members(&DOCUMENT["components"]["headers"]);
    headers
        .map(|(name, header)| (name.to_lowercase(), (header["required"] == true, validator(&header["schema"]))))
        .collect()
});

/// An operation, with the validators of its requests and responses.
pub struct Operation {
    pub id: &'static str,
    pub method: Method,
    pub path: &'static str,
    pub described: &'static Value,
    pub parameters: Vec<Parameter>,
    body: Option<Validator>,
    pub answers: BTreeMap<u16, Described>,
}

pub struct Parameter {
    pub name: &'static str,
    pub is_header: bool,
    is_required: bool,
    pub described: &'static Value,
    schema: Validator,
}

pub struct Described {
    pub answer: &'static Value,
    headers: BTreeSet<String>,
    body: Validator,
}

/// The target of a reference; any other value is returned as it is.
pub fn resolved(node: &'static Value) -> &'static Value {
    match node["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).expect(reference),
        None => node,
    }
}

pub fn members(node: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    node.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), resolved(member)))
}

fn validator(schema: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = json!({"schemas": DOCUMENT["components"]["schemas"]});
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

/// The media type of a body, and what is said of it.
pub fn content(node: &'static Value) -> Option<(&'static str, &'static Value)> {
    members(&node["content"]).next()
}

fn operations() -> Vec<Operation> {
    let operation = |path, method: &str, described: &'static Value| {
        let parameters = described["parameters"].as_array().into_iter().flatten().map(resolved);
        let body = content(resolved(&described["requestBody"]));
        let answers = members(&described["responses"]).map(|(status, answer)| {
            let headers = members(&answer["headers"]).map(|(name, _)| name.to_lowercase());
            let (media_type, body) = content(answer).expect("a body");
            assert_eq!(media_type, "application/json");
            let described = Described { answer, headers: headers.collect(), body: validator(&body["schema"]) };
            (status.parse().expect("a status"), described)
        });
        Operation {
            id: described["operationId"].as_str().expect("an id"),
            method: method.to_uppercase().parse().expect("a method"),
            path,
            described,
            parameters: parameters.map(parameter).collect(),
            body: body.map(|(_, body)| validator(&body["schema"])),
            answers: answers.collect(),
        }
    };
    let deployed = |described: &Value| described["tags"] != json!(["Local"]);
    let of_path = |(path, item)| members(item).map(move |(method, described)| (path, method, described));
    let all = members(&DOCUMENT["paths"]).flat_map(of_path);
    all.filter(|(.., described)| deployed(described)).map(|(path, method, it)| operation(path, method, it)).collect()
}

fn parameter(described: &'static Value) -> Parameter {
    Parameter {
        name: described["name"].as_str().expect("a name"),
        is_header: described["in"] == "header",
        is_required: described["required"] == true,
        described,
        schema: validator(&described["schema"]),
    }
}

impl Operation {
    /// The path's parameters, as sent; `None` if it is another path.
    fn path_parameters<'p>(&self, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
        let (described, sent): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let mut parameters = Vec::new();
        for (described, &sent) in described.iter().zip(&sent) {
            match described.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !sent.is_empty() => parameters.push((name, sent)),
                _ if *described == sent => {}
                _ => return None,
            }
        }
        (described.len() == sent.len()).then_some(parameters)
    }

    pub fn body_examples(&self) -> impl Iterator<Item = (&'static str, &'static Value)> {
        let body = content(resolved(&self.described["requestBody"]));
        body.into_iter().flat_map(|(_, body)| members(&body["examples"]))
    }

    fn accepts(&self, path: &str, headers: &HeaderMap, body: &[u8]) {
        let in_path = self.path_parameters(path).expect("the path of this");
        for parameter in &self.parameters {
            let sent = if parameter.is_header {
                headers.get(parameter.name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            } else {
                // Escaped text is left to the endpoint.
                let sent = in_path.iter().find(|(name, _)| *name == parameter.name).map(|(_, sent)| *sent);
                sent.filter(|sent| !sent.contains('%')).map(str::to_owned)
            };
            let what = format!("{}: {}", self.id, parameter.name);
            match sent {
                Some(sent) => assert_valid(&parameter.schema, &json!(sent), &what),
                None => assert!(!(parameter.is_header && parameter.is_required), "{what} is required"),
            }
        }
        if let Some(schema) = &self.body {
            let body = &*decompressed(headers, body);
            assert_valid(schema, &serde_json::from_slice(body).unwrap_or_else(|_| form(body)), self.id);
        }
    }
}

/// A body as it was before its `Content-Encoding`.
fn decompressed<'b>(headers: &HeaderMap, body: &'b [u8]) -> Cow<'b, [u8]> {
    if !headers.contains_key("content-encoding") {
        return Cow::Borrowed(body);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(body).read_to_end(&mut plain).expect("gzip");
    Cow::Owned(plain)
}

/// A form as the object that a description describes.
fn form(body: &[u8]) -> Value {
    form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), json!(value))).collect()
}

fn assert_valid(schema: &Validator, value: &Value, what: &str) {
    if let Err(error) = schema.validate(value) {
        panic!("{what}: {error}, at {}: {value}", error.instance_path());
    }
}

/// Holds an answer against the description, and the request too if it was answered well.
///
/// # Panics
/// One of them is not as described.
pub fn check(method: &Method, path: &str, headers: &HeaderMap, body: &[u8], answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let of_path: Vec<_> = OPERATIONS.iter().filter(|operation| operation.path_parameters(path).is_some()).collect();
    // A preflight is described in words only, and a path that isn't described isn't there.
    if *method == Method::OPTIONS {
        return;
    }
    let Some(any) = of_path.first() else {
        assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, json!({"message": "Not Found"})), "{path}");
        return;
    };
    let own = of_path.iter().find(|operation| operation.method == *method);
    assert!(own.is_some() || answer.status == StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {answer:?}");
    let operation = own.unwrap_or(any);
    let what = format!("{} {}", operation.id, answer.status);
    let described = operation.answers.get(&answer.status.as_u16());
    let described = described.unwrap_or_else(|| panic!("{what} is not described: {answer:?}"));

    for name in &described.headers {
        let (is_required, schema) = &HEADERS[name];
        match answer.header(name) {
            Some(value) => assert_valid(schema, &json!(value), &format!("{what}: {name}")),
            None => assert!(!is_required, "{what}: {name} is described"),
        }
    }
    for name in answer.headers.keys() {
        let is_described = described.headers.contains(name.as_str()) || TRANSPORT.contains(&name.as_str());
        assert!(is_described, "{what}: {name} is not described");
    }
    if matches!(answer.status.as_u16(), 429 | 503) {
        let invited = answer.body.contains("can be sent again as it is");
        assert_eq!(answer.header("retry-after").is_some(), invited, "{what}: {answer:?}");
    }
    if *method != Method::HEAD {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        assert_valid(&described.body, &answer.json(), &what);
    }
    if answer.status.is_success() {
        operation.accepts(path, headers, body);
    }
}
