//! Logs: nothing in them that a client sent, and the lines that carry metrics reach CloudWatch.

use std::collections::BTreeSet;

use saphyr::Yaml;
use serde_json::Value;

use super::{STACK, argument, property, referred, resources, tagged, template, template_functions, text};

/// The gateway's variables that say nothing of who sent a request or what
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>). Left out on
/// purpose: `path`, which names customers; `identity.*`, with the client's address and `User-Agent`; `authorizer.*`;
/// `domainName`, which is the client's `Host`; `customDomain.*`; `error.*`, which may quote what was sent.
const HARMLESS: [&str; 14] = [
    "awsEndpointRequestId",
    "dataProcessed",
    "extendedRequestId",
    "httpMethod",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "responseLatency",
    "responseLength",
    "routeKey",
    "status",
];

/// "Access log template size"
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const FORMAT_BYTES: usize = 3 * 1024;

/// Lambda's levels of application logs, from the most to the least detailed.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// True if Lambda does not pass a function's line of JSON on to CloudWatch. A line without a level counts as INFO
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).
pub fn lambda_drops(binary: &str, line: &Value) -> bool {
    let template = template();
    let function = &template_functions()[binary];
    let level = property(&template, function, &["LoggingConfig", "ApplicationLogLevel"]).and_then(Yaml::as_str);
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    let least = rank(level.expect("a level")).expect("a level of Lambda's");
    rank(line["level"].as_str().unwrap_or("INFO")).unwrap_or(2) < least
}

/// The names of the variables in a format.
fn variables(format: &str) -> BTreeSet<String> {
    let names = format.split('$').skip(1);
    let name =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '.').next().unwrap_or_default().to_owned();
    names.map(name).collect()
}

#[test]
fn the_access_log_contains_no_customer_or_request_data() {
    for (name, api) in resources(&template(), "AWS::Serverless::HttpApi") {
        let format = text(&api, &["Properties", "AccessLogSettings", "Format"]);
        for variable in variables(&format) {
            let harmless = variable.strip_prefix("context.").is_some_and(|variable| HARMLESS.contains(&variable));
            assert!(harmless, "{name}: ${variable}");
        }
    }
}

/// A format is one line, and names the request
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html>).
#[test]
fn the_access_log_is_lines_of_json_that_the_gateway_takes() {
    for (name, api) in resources(&template(), "AWS::Serverless::HttpApi") {
        let format = text(&api, &["Properties", "AccessLogSettings", "Format"]);
        assert!(format.len() <= FORMAT_BYTES && !format.contains('\n'), "{name}: {format}");
        let line: Value = serde_json::from_str(&format).expect("JSON");
        let values: BTreeSet<_> = line.as_object().expect("an object").values().filter_map(Value::as_str).collect();
        for needed in ["$context.requestId", "$context.requestTime", "$context.routeKey", "$context.status"] {
            assert!(values.contains(needed), "{name} has no {needed}");
        }
        let group = tagged(&api, &["Properties", "AccessLogSettings", "DestinationArn"]);
        let group = group.and_then(|group| argument(group, "GetAtt")).and_then(Yaml::as_str);
        let group = group.and_then(|group| group.strip_suffix(".Arn")).expect("a log group");
        assert!(resources(&template(), "AWS::Logs::LogGroup").contains_key(group), "{group}");
    }
}

/// The level of a line counts, and metrics are read from it, only where logs are JSON.
#[test]
fn every_function_logs_json_to_a_group_of_its_own() {
    let template = template();
    let groups = resources(&template, "AWS::Logs::LogGroup");
    for (binary, function) in template_functions() {
        let logging = |name: &str| property(&template, &function, &["LoggingConfig", name]);
        assert_eq!(logging("LogFormat").and_then(Yaml::as_str), Some("JSON"), "{binary}");
        let group = logging("LogGroup").and_then(referred).expect("a log group");
        let name = text(&groups[group], &["Properties", "LogGroupName"]);
        assert_eq!(name, format!("/aws/lambda/{STACK}{binary}"));
    }
    for (name, group) in groups {
        let retention = tagged(&group, &["Properties", "RetentionInDays"]).and_then(referred);
        assert_eq!(retention, Some("LogRetentionDays"), "{name} is kept for ever");
    }
}
