//! The quarantine: a closed bucket that forgets, and functions that may add to it and nothing else.

use std::collections::BTreeSet;

use punchcard::registry::HANDLERS;
use punchcard_http::route::ROUTES;
use reqwest::Method;
use saphyr::Yaml;

use super::{
    argument, choices, environment::variables, find, list, members, referred, resources, tagged, template,
    template_functions, text, texts, untagged,
};

/// True of functions whose rejected requests are quarantined.
pub fn is_quarantined(function: &str) -> bool {
    HANDLERS.iter().any(|handler| handler.is_quarantined && handler.route.function == function)
}

/// POST routes that record nothing, or whose bodies are credentials.
const LEFT_OUT: [(&str, &str); 3] = [
    ("issue-token", "its body has a secret"),
    ("preview-rewards", "it records nothing"),
    ("start-session", "its body has a secret"),
];

#[test]
fn requests_of_every_function_that_records_are_quarantined_and_no_others() {
    let posted = ROUTES.iter().filter(|route| route.method == Method::POST);
    let mut expected: BTreeSet<_> = posted.map(|route| route.function).collect();
    for (function, _) in LEFT_OUT {
        assert!(expected.remove(function), "{function}");
    }
    let quarantined: BTreeSet<_> =
        HANDLERS.iter().filter(|handler| handler.is_quarantined).map(|handler| handler.route.function).collect();
    assert_eq!(quarantined, expected);
}

#[test]
fn these_functions_may_add_to_the_bucket_and_do_nothing_else_with_it() {
    let template = template();
    for (binary, function) in template_functions() {
        let policies = list(&function, &["Properties", "Policies"]).iter();
        let statements: Vec<_> = policies.flat_map(|policy| list(policy, &["Statement"])).collect();
        let conditional = |condition: &str| -> Vec<&Yaml> {
            let found = statements.iter().filter_map(|statement| {
                let parts = argument(statement, "If").and_then(Yaml::as_sequence)?;
                (parts[0].as_str() == Some(condition)).then(|| {
                    assert_eq!(referred(&parts[2]), Some("AWS::NoValue"), "{binary}");
                    &parts[1]
                })
            });
            found.collect()
        };
        let (puts, keys) = (conditional("HasQuarantine"), conditional("HasQuarantineKey"));
        let expected = usize::from(is_quarantined(&binary));
        assert_eq!((puts.len(), keys.len()), (expected, expected), "{binary}");
        for put in puts {
            assert_eq!(texts(find(put, &["Action"]).expect("actions")), ["s3:PutObject"], "{binary}");
            let resource = tagged(put, &["Resource"]).and_then(|resource| argument(resource, "Sub"));
            assert_eq!(resource.and_then(Yaml::as_str), Some("${QuarantineBucket.Arn}/requests/*"), "{binary}");
        }
        for key in keys {
            assert_eq!(texts(find(key, &["Action"]).expect("actions")), ["kms:GenerateDataKey"], "{binary}");
            assert_eq!(tagged(key, &["Resource"]).and_then(referred), Some("KmsKeyArn"), "{binary}");
        }
        let bucket = variables(&template, &function).get("QUARANTINE_BUCKET").cloned();
        assert_eq!(bucket.as_deref(), is_quarantined(&binary).then_some("QuarantineBucket"), "{binary}");
    }
}

#[test]
fn the_bucket_is_closed_encrypted_and_forgets() {
    let template = template();
    let buckets = resources(&template, "AWS::S3::Bucket");
    let bucket = &buckets["QuarantineBucket"];
    assert_eq!(text(bucket, &["Condition"]), "HasQuarantine");
    let bucket = find(bucket, &["Properties"]).expect("properties");
    let blocked = members(bucket, &["PublicAccessBlockConfiguration"]);
    assert_eq!(blocked.len(), 4);
    assert!(blocked.into_values().all(|blocked| untagged(blocked).as_bool() == Some(true)));
    let encryption = list(bucket, &["BucketEncryption", "ServerSideEncryptionConfiguration"]);
    let by_default = tagged(&encryption[0], &["ServerSideEncryptionByDefault"]).and_then(choices).expect("an !If");
    assert_eq!(tagged(&by_default[0], &["KMSMasterKeyID"]).and_then(referred), Some("KmsKeyArn"));
    let rules = list(bucket, &["LifecycleConfiguration", "Rules"]);
    let expiry = rules.iter().find(|rule| text(rule, &["Id"]) == "expired-requests").expect("a rule");
    assert_eq!(tagged(expiry, &["ExpirationInDays"]).and_then(referred), Some("QuarantineDays"));
    assert!(find(expiry, &["Prefix"]).is_none(), "everything expires");
    let policies = resources(&template, "AWS::S3::BucketPolicy");
    let policy = policies
        .values()
        .find(|policy| tagged(policy, &["Properties", "Bucket"]).and_then(referred) == Some("QuarantineBucket"));
    let statement = &list(policy.expect("a policy"), &["Properties", "PolicyDocument", "Statement"])[0];
    assert_eq!(text(statement, &["Effect"]), "Deny");
    assert_eq!(text(statement, &["Condition", "Bool", "aws:SecureTransport"]), "false");
}
