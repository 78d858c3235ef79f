//! Sizes and lengths that AWS refuses, checked for the longest name that a stack may have.

use punchcard_http::MAX_BODY_BYTES;

use super::{
    STACK, TEMPLATE, environment::variables, every_text, find, list, members, namespace, number, resource_name,
    resources, routes::routes, template, template_functions, text,
};

/// "Stack name … up to 128 characters"
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const STACK_NAME: usize = 128;

/// The longest URL that the parameter for an endpoint is expected to have.
const ENDPOINT: usize = 2 * 1024;

/// A name's length in the stack with the longest name.
fn length(name: &str) -> usize {
    name.replace("${AWS::StackName}", &"s".repeat(STACK_NAME)).len()
}

/// Tables: 3 to 255 characters (DynamoDB, *Naming rules*). Log groups: 512 (`CreateLogGroup`). Dashboards and
/// namespaces: 255 (`PutDashboard`, `MetricDatum`). Functions and roles have no name here, so that CloudFormation makes
/// one that fits into their 64.
#[test]
fn every_name_fits_with_the_longest_stack_name() {
    let template = template();
    for (resource_type, property, most) in [
        ("AWS::DynamoDB::Table", "TableName", 255),
        ("AWS::Logs::LogGroup", "LogGroupName", 512),
        ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
    ] {
        for (name, resource) in resources(&template, resource_type) {
            let given = text(&resource, &["Properties", property]);
            assert!(length(&given) <= most, "{name}: {given}");
            let plain = given.replace("${AWS::StackName}", "").replace("AWS::StackName", "");
            assert!(plain.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c)), "{name}: {given}");
        }
    }
    assert!(length(&namespace()) <= 255 && !namespace().starts_with("AWS/"));
    for (binary, function) in template_functions() {
        assert!(find(&function, &["Properties", "FunctionName"]).is_none(), "{binary} has a name of its own");
        assert!(find(&function, &["Properties", "RoleName"]).is_none(), "{binary}'s role has a name of its own");
    }
}

/// "Function environment variables: 4 KB", all together
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
#[test]
fn the_environment_fits() {
    let template = template();
    for (binary, function) in template_functions() {
        let variables = variables(&template, &function);
        let bytes: usize = variables.iter().map(|(name, value)| name.len() + length(value)).sum();
        assert!(bytes + ENDPOINT <= 4 * 1024, "{binary}: {bytes} bytes");
    }
}

/// "Function resource-based policy: 20 KB"
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>): SAM adds a statement for each route.
#[test]
fn the_gateways_permissions_to_call_a_function_fit() {
    let routes = routes();
    for binary in template_functions().keys() {
        let bytes: usize = routes
            .iter()
            .filter(|route| route.function == *binary)
            .map(|route| {
                let (id, name, region) = ("i".repeat(100), "f".repeat(64), "ap-southeast-1");
                let source = format!("arn:aws:execute-api:{region}:123456789012:abcdefghij/*/{}{}", route.method, route.path);
                let function = format!("arn:aws:lambda:{region}:123456789012:function:{name}");
                let principal = r#"{"Service":"apigateway.amazonaws.com"}"#;
                let condition = format!(r#"{{"ArnLike":{{"AWS:SourceArn":"{source}"}}}}"#);
                let action = "lambda:InvokeFunction";
                format!(r#"{{"Sid":"{id}","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{function}","Condition":{condition}}},"#).len()
            })
            .sum();
        assert!(bytes < 20 * 1024, "{binary}: {bytes} bytes");
    }
}

/// "Role inline policies: 10,240 characters" without spaces, all together
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
#[test]
fn the_policies_of_a_role_fit() {
    for (binary, function) in template_functions() {
        let mut texts = Vec::new();
        for policy in list(&function, &["Properties", "Policies"]) {
            every_text(policy, &mut texts);
        }
        let table = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/".len() + 255;
        let characters: usize =
            texts.iter().map(|text| if text.ends_with(".Arn") { table } else { text.len() } + 30).sum();
        assert!(characters < 10_240, "{binary}: {characters}");
    }
}

/// CloudFormation: a template of 1 MB, 500 resources, 200 parameters and outputs, a description of 1,024 bytes and of
/// 4,000 characters for a parameter
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>). SAM makes a role of
/// each function, a permission of each event, and a stage of the API.
#[test]
fn the_template_fits_into_cloudformation() {
    let template = template();
    let made = members(&template, &["Resources"]).len() + template_functions().len() + routes().len() + 1;
    assert!(made <= 500, "{made} resources");
    assert!(TEMPLATE.len() < 1024 * 1024);
    assert!(text(&template, &["Description"]).len() <= 1024);
    assert!(members(&template, &["Outputs"]).len() <= 200);
    let parameters = members(&template, &["Parameters"]);
    assert!(parameters.len() <= 200);
    for (name, parameter) in parameters {
        assert!(text(parameter, &["Description"]).len() <= 4_000, "{name}");
    }
    for name in members(&template, &["Resources"]).keys() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && name.len() <= 255, "{name}");
    }
}

/// "Invocation payload: 6 MB each for request and response", below the gateway's 10 MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>). A body is a string of JSON in the event,
/// where a byte takes up to six, and line and headers come to no more than 10,240 bytes.
#[test]
fn the_largest_body_fits_into_an_invocation() {
    const { assert!(MAX_BODY_BYTES * 6 + 6 * 10_240 + 4_096 < 6 * 1024 * 1024) }
}

/// The account's limit is 10,000 requests a second with a burst of 5,000 by default, and a route's "cannot exceed" it
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>).
#[test]
fn the_throttle_is_within_what_an_account_has() {
    let template = template();
    let default = |name: &str| number(&template, &["Parameters", name, "Default"]);
    assert!((1..=10_000).contains(&default("ThrottlingRateLimit")));
    assert!((1..=5_000).contains(&default("ThrottlingBurstLimit")));
    for (name, api) in resources(&template, "AWS::Serverless::HttpApi") {
        for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            let set = super::tagged(&api, &["Properties", "DefaultRouteSettings", limit]).and_then(super::referred);
            assert_eq!(set, Some(limit), "{name}");
        }
    }
}

/// The prefix is what keeps two stacks of an account apart.
#[test]
fn every_name_starts_with_the_stacks() {
    let template = template();
    for (_, table) in resources(&template, "AWS::DynamoDB::Table") {
        assert!(text(&table, &["Properties", "TableName"]).starts_with(STACK));
    }
    for (name, group) in resources(&template, "AWS::Logs::LogGroup") {
        let group = text(&group, &["Properties", "LogGroupName"]);
        assert!(group.starts_with("/aws/") && group.contains("${AWS::StackName}"), "{name}: {group}");
    }
    assert_eq!(resource_name("send-client-event"), "SendClientEvent");
}
