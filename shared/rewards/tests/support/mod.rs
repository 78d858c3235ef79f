//! Values for the tests of explanations.

use punchcard_models::{
    data::{self, OpenData},
    fault::Faults,
    json,
    timestamp::Timestamp,
};
use punchcard_rewards::{Catalog, Explanation};
use serde_json::Value;

pub fn moment(text: &str) -> Timestamp {
    Timestamp::from_text(text).expect("a moment")
}

pub fn data(json: &Value) -> OpenData {
    json::parse(json.to_string().as_bytes(), &Faults::default(), data::parse_object).expect("open data")
}

pub fn read(catalog: &Value) -> Catalog {
    let catalog = catalog.to_string();
    Catalog::from_json(&catalog).unwrap_or_else(|faults| panic!("{:?} in {catalog}", faults.into_iter().next()))
}

pub fn as_json(explanation: &Explanation<'_>) -> Value {
    serde_json::from_str(&explanation.to_json().to_string()).expect("JSON")
}
