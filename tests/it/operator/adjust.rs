//! `punchcard adjust`.

use serde_json::json;

use super::punchcard;
use crate::support::activities::{Programme, activity, text};

const XYZ: [&str; 4] = ["--unit", "XYZ", "--note", "late delivery"];

#[tokio::test]
async fn a_balance_is_adjusted_once_by_reference() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-1").await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let adjust = async |points: &str, more: &[&str]| {
        let arguments = [&["adjust", points, "--correlation", "c-1"], &XYZ[..], more].concat();
        punchcard(&programme.app, &arguments).await
    };
    let by_jane = ["--issuer", "jane", "--reference", "case-1", "--yes"];
    let said = adjust("-4", &by_jane).await;
    assert!(said.succeeded, "{}", said.errors);
    assert!(said.output.starts_with("acct#A-1  XYZ loyalty: 10 -4 = 6 points\nAdjusted. The record is "), "{said:?}");
    assert!(said.output.ends_with("The balance is 6 points.\n") && said.errors.contains("case-1"), "{said:?}");
    assert_eq!(programme.balances("c-1").await["XYZ"]["loyalty"], 6);

    let again = adjust("-4", &[&by_jane[..], &["--json"]].concat()).await.json();
    assert_eq!((&again["new"], &again["before"], &again["after"]), (&json!(false), &json!(6), &json!(6)));
    let other = adjust("-5", &by_jane).await;
    assert!(!other.succeeded && other.errors.contains("case-1 was used for another adjustment"), "{}", other.errors);

    let records = programme.app.items("Activities").await;
    let adjustments: Vec<_> = records.iter().filter(|item| item.contains_key("kind")).collect();
    assert_eq!(adjustments.len(), 1);
    let of = ["issuerId", "note", "reference", "channel"].map(|name| text(adjustments[0], name));
    assert_eq!(of, ["jane", "late delivery", "case-1", "punchcard"]);
}

#[tokio::test]
async fn a_balance_is_adjusted_only_if_that_is_confirmed_and_valid() {
    let programme = Programme::with(r#"{"businessUnits": {"XYZ": "enabled"}, "negativeBalances": "refused"}"#).await;
    for (points, more, error) in [
        ("5", &["--issuer", "jane"][..], "nothing was changed"),
        ("5", &["--issuer", "jane", "--json"], "nothing was changed"),
        ("0", &["--issuer", "jane", "--yes"], "rewardAmount must be a whole number other than 0"),
        ("5", &["--issuer", " ", "--yes"], "issuerId must have 1 to 128 characters"),
        ("-5", &["--issuer", "jane", "--yes"], "must not fall below zero"),
    ] {
        let arguments = [&["adjust", points, "--correlation", "c-1"], &XYZ[..], more].concat();
        let said = punchcard(&programme.app, &arguments).await;
        assert!(!said.succeeded && said.errors.contains(error), "{points} {more:?}: {}", said.errors);
    }
    let unit = ["adjust", "5", "--correlation", "c-1", "--unit", "NEW", "--note", "n", "--issuer", "jane", "--yes"];
    let said = punchcard(&programme.app, &unit).await;
    assert!(said.errors.contains("Provided business unit is not valid"), "{}", said.errors);
    assert!(programme.app.items("Activities").await.is_empty());
}
