//! Alarms and the dashboard: that every metric in them exists under its namespace and dimensions. `functions` compares
//! the system's own with what the binaries write.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::Yaml;
use serde_json::Value;

use super::{
    argument, environment::namespace, find, list, referred, resource_name, resources, routed_functions, tagged,
    template, template_functions, text,
};

/// Metrics of an HTTP API; REST APIs have `5XXError` and others
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>).
const OF_THE_GATEWAY: [&str; 6] = ["4xx", "5xx", "Count", "DataProcessed", "IntegrationLatency", "Latency"];

/// Metrics of a function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>).
const OF_LAMBDA: [&str; 6] = ["ConcurrentExecutions", "Duration", "Errors", "Invocations", "IteratorAge", "Throttles"];

/// A metric that an alarm or a chart reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, Of>,
}

/// The value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// Every value, as a search finds them.
    Each,
    /// The name that a resource gets.
    Resource(String),
    /// The name of a queue: a reference to one is its URL.
    Queue(String),
    Value(String),
}

/// A metric of an alarm, described where `Metric` or the alarm itself does.
fn alarmed(node: &Yaml) -> Metric {
    let dimensions = list(node, &["Dimensions"]).iter().map(|dimension| {
        let value = &dimension["Value"];
        let name_of = argument(value, "GetAtt").and_then(Yaml::as_str).and_then(|name| name.strip_suffix(".QueueName"));
        let of = match (referred(value), name_of) {
            (Some(resource), _) => Of::Resource(resource.to_owned()),
            (None, Some(queue)) => Of::Queue(queue.to_owned()),
            (None, None) => Of::Value(value.as_str().expect("text").to_owned()),
        };
        (text(dimension, &["Name"]), of)
    });
    Metric {
        namespace: text(node, &["Namespace"]),
        name: text(node, &["MetricName"]),
        dimensions: dimensions.collect(),
    }
}

/// The metrics of each alarm.
pub fn alarms() -> BTreeMap<String, Vec<Metric>> {
    let alarms = resources(&template(), "AWS::CloudWatch::Alarm").into_iter();
    alarms
        .map(|(name, alarm)| {
            let properties = find(&alarm, &["Properties"]).expect("properties");
            let queries = list(properties, &["Metrics"]);
            if queries.is_empty() {
                return (name, vec![alarmed(properties)]);
            }
            let metrics = queries.iter().filter_map(|query| find(query, &["MetricStat", "Metric"]));
            (name, metrics.map(alarmed).collect())
        })
        .collect()
}

/// The metrics of every chart.
pub fn charted() -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (_, dashboard) in resources(&template(), "AWS::CloudWatch::Dashboard") {
        let body: Value = serde_json::from_str(&text(&dashboard, &["Properties", "DashboardBody"])).expect("JSON");
        for widget in body["widgets"].as_array().expect("widgets") {
            metrics.extend(widget["properties"]["metrics"].as_array().expect("metrics").iter().map(in_chart));
        }
    }
    metrics
}

/// `[{"expression": "SEARCH(…)"}]`, or `["namespace", "name", "dimension", "value", {…}]`.
fn in_chart(row: &Value) -> Metric {
    let row = row.as_array().expect("a row");
    if let Some(expression) = row[0]["expression"].as_str() {
        return searched(expression).unwrap_or_else(|| panic!("{expression} is not understood"));
    }
    let cells: Vec<_> = row.iter().filter_map(Value::as_str).collect();
    let [namespace, name, dimensions @ ..] = &cells[..] else { panic!("{row:?} is not understood") };
    let dimensions = dimensions.chunks(2).map(|pair| {
        let [dimension, value] = pair else { panic!("{row:?} has a dimension without a value") };
        let of = match value.strip_prefix("${").and_then(|value| value.strip_suffix('}')) {
            Some(resource) => Of::Resource(resource.to_owned()),
            None => Of::Value((*value).to_owned()),
        };
        ((*dimension).to_owned(), of)
    });
    Metric { namespace: (*namespace).to_owned(), name: (*name).to_owned(), dimensions: dimensions.collect() }
}

/// `SEARCH('{"namespace",Dimension} MetricName="Name"', 'Sum', 60)`: the metrics that have exactly these dimensions.
fn searched(expression: &str) -> Option<Metric> {
    let (schema, rest) = expression.strip_prefix("SEARCH('{")?.split_once("} MetricName=\"")?;
    let (name, _) = rest.split_once("\"'")?;
    let mut schema = schema.split(',');
    let namespace = schema.next()?.trim_matches('"').to_owned();
    let dimensions = schema.map(|dimension| (dimension.to_owned(), Of::Each)).collect();
    Some(Metric { namespace, name: name.to_owned(), dimensions })
}

#[test]
fn every_metric_of_an_alarm_or_a_chart_is_one_that_is_written() {
    let own = namespace();
    let template = template();
    let is = |resource_type: &str, of: &Of| matches!(of, Of::Resource(name) if resources(&template, resource_type).contains_key(name));
    let binaries = template_functions();
    for metric in alarms().into_values().flatten().chain(charted()) {
        let dimensions: Vec<_> = metric.dimensions.iter().map(|(name, of)| (name.as_str(), of)).collect();
        let known = match (metric.namespace.as_str(), &dimensions[..]) {
            ("AWS/ApiGateway", [("ApiId", api)]) => {
                OF_THE_GATEWAY.contains(&metric.name.as_str()) && is("AWS::Serverless::HttpApi", api)
            }
            ("AWS/Lambda", [("FunctionName", function)]) => {
                OF_LAMBDA.contains(&metric.name.as_str()) && is("AWS::Serverless::Function", function)
            }
            ("AWS/SQS", [("QueueName", Of::Queue(queue))]) => {
                metric.name == "ApproximateNumberOfMessagesVisible"
                    && resources(&template, "AWS::SQS::Queue").contains_key(queue)
            }
            (namespace, [("Function", Of::Each)]) => namespace == own,
            (namespace, [("Function", Of::Value(binary))]) => namespace == own && binaries.contains_key(binary),
            _ => false,
        };
        assert!(known, "{metric:?}");
    }
}

#[test]
fn every_function_is_in_the_alarm_for_throttles_and_in_the_chart_of_latencies() {
    // Streams wait for a throttled function: the alarm on their age covers it.
    let functions: BTreeSet<_> = routed_functions().keys().map(|binary| resource_name(binary)).collect();
    let of = |metrics: &[Metric], name: &str| -> BTreeSet<String> {
        let metrics = metrics.iter().filter(|metric| metric.namespace == "AWS/Lambda" && metric.name == name);
        let functions = metrics.map(|metric| match &metric.dimensions["FunctionName"] {
            Of::Resource(function) => function.clone(),
            other => panic!("{other:?} is no function"),
        });
        functions.collect()
    };
    let alarms: Vec<_> = alarms().into_values().flatten().collect();
    assert_eq!(of(&alarms, "Throttles"), functions);
    assert_eq!(of(&charted(), "Duration"), functions);
}

/// An alarm on an expression has one result, "as many as 10" metrics and 10 expressions
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html>).
#[test]
fn every_metric_of_an_expression_is_in_it() {
    for (name, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let queries = list(&alarm, &["Properties", "Metrics"]);
        if queries.is_empty() {
            continue;
        }
        let (results, metrics): (Vec<_>, Vec<_>) =
            queries.iter().partition(|query| find(query, &["MetricStat"]).is_none());
        assert!(metrics.len() <= 10, "{name} has {} metrics: split it", metrics.len());
        assert_eq!(results.len(), 1, "{name}");
        let expression = text(results[0], &["Expression"]);
        assert!(expression.len() <= 1024, "{name}");
        let word = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit());
        let named: BTreeSet<_> =
            expression.split(word).filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
        let ids: Vec<_> = metrics.iter().map(|metric| text(metric, &["Id"])).collect();
        assert_eq!(named, ids.iter().map(String::as_str).collect(), "{name}");
        assert_eq!(named.len(), ids.len(), "{name} has an id twice");
        for metric in metrics {
            assert_eq!(find(metric, &["ReturnData"]).and_then(Yaml::as_bool), Some(false), "{name}");
        }
    }
}

#[test]
fn every_alarm_goes_to_the_topic_and_stays_quiet_without_requests() {
    for (name, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let actions = tagged(&alarm, &["Properties", "AlarmActions"]).and_then(super::choices).expect("an !If");
        let topic = actions[0].as_sequence().and_then(|actions| actions.first()).and_then(referred);
        assert_eq!(topic, Some("AlarmTopicArn"), "{name}");
        assert_eq!(text(&alarm, &["Properties", "TreatMissingData"]), "notBreaching", "{name}");
    }
}
