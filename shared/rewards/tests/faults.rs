//! One run of the check reports every fault of a catalog with its line.

use punchcard_rewards::{Catalog, yaml};

fn problems(text: &str) -> Vec<String> {
    match yaml::read(text) {
        Ok(_) => vec![],
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

const BAD: &str = "\
rewards: on
channelMerging: phone
defaultChannel: ' '
colour: red
sections: [Lounge, Lounge]
actions:
  - STORE_VISIT
  - ' PADDED'
businessUnits:
  XYZ: enabled
  'A#C': enabled
  OLD: off
offers:
  - id: XYZ_BASE
    unit: XYY
    kind: base
    reward: {multiplier: 2}
  - id: no
    unit: OLD
    kind: bonus
    actions: [STORE_VISIT, DANCE]
    channels: []
    accounts: [A-1]
    reward: {flat: 0}
    window:
      from: 2025-01-01T00:00:00Z
      until: 2024-01-01T00:00:00Z
    limits:
      usesPerMember: 0
      pointsPerMember: 1.5
      usesTotal: 5
  - unit: XYZ
    id: XYZ_VIP
    kind: targeted
    reward: {percentage: 0.00001}
    reward: {flat: 1}
    pointsType: status points
  - id: XYZ_BASE
    unit: XYZ
    kind: bonus
    reward: {flat: 007}
    conditions:
      - {field: total, ge: '100'}
      - field: total
campaigns:
  - {id: XYZ_VIP, event: review, points: &many -5}
  - id: BIG_ORDER
    event: place_order
    points: *many
    window: {from: yesterday}
    conditions: [{field: total, above: 5}]
  - []
";

#[test]
fn every_fault_is_reported_with_its_line_in_one_run() {
    assert_eq!(
        problems(BAD),
        [
            "line 1: /rewards must be enabled or disabled",
            "line 2: /channelMerging must be none, mobile or email",
            "line 3: /defaultChannel must have 1 to 64 characters and not be blank",
            "line 4: /colour is not a known member; allowed are rewards, defaultChannel, channelMerging, \
             negativeBalances, timezone, budget, sections, actions, businessUnits, offers, campaigns",
            "line 5: /sections/1 appears more than once",
            "line 8: /actions/1 must not begin or end with white space",
            "line 11: /businessUnits/A#C must have a name of 1 to 64 characters from A-Z a-z 0-9 _ . -",
            "line 12: /businessUnits/OLD must be enabled or disabled",
            "line 15: /offers/0/unit must be one of the catalog's business units",
            "line 17: /offers/0/reward must be flat in a base offer",
            "line 18: /offers/1/id must be 3 to 128 characters from A-Z a-z 0-9 _",
            "line 21: /offers/1/actions/1 must be one of the catalog's actions",
            "line 22: /offers/1/channels must have 1 to 10000 items",
            "line 23: /offers/1/accounts is only allowed in a targeted offer",
            "line 24: /offers/1/reward/flat must be a whole number from 1 to 1000000000",
            "line 25: /offers/1/window must start before it ends",
            "line 29: /offers/1/limits/usesPerMember must be a whole number from 1 to 1000000000000000",
            "line 30: /offers/1/limits/pointsPerMember must be a whole number from 1 to 1000000000000000",
            "line 31: /offers/1/limits/usesTotal is not a known member; allowed are usesPerMember, usesInTotal, \
             pointsPerMember",
            "line 32: /offers/2 must have accounts or loyaltyIds, because it is targeted",
            "line 35: /offers/2/reward/percentage must be a number above 0, at most 100000, with at most 4 decimals",
            "line 36: /offers/2/reward appears more than once",
            "line 37: /offers/2/pointsType must be 1 to 64 characters from A-Z a-z 0-9 _ . -",
            "line 38: /offers/3/id must be unique among offers and campaigns",
            "line 41: /offers/3/reward/flat must be a number in JSON notation, or a quoted string",
            "line 43: /offers/3/conditions/0/ge must be a number",
            "line 44: /offers/3/conditions/1 must have at least one test: eq, ne, lt, le, gt, ge, in, contains, \
             exists",
            "line 46: /campaigns/0/id must be unique among offers and campaigns",
            "line 46: /campaigns/0/points must be a whole number from 1 to 1000000000",
            "line 49: /campaigns/1/points must not be an alias",
            "line 50: /campaigns/1/window/from must be an RFC 3339 timestamp with an offset or Z",
            "line 51: /campaigns/1/conditions/0/above is not a known member; allowed are field, eq, ne, lt, le, gt, ge, \
             in, contains, exists, any, all, weekday, timeOfDay",
            "line 52: /campaigns/2 must be an object",
        ]
    );
}

#[test]
fn a_missing_member_is_reported_at_the_line_of_its_parent() {
    assert_eq!(
        problems("businessUnits: {XYZ: enabled}\n\noffers:\n  - unit: XYZ\n    reward: {flat: 5}\n"),
        ["line 4: /offers/0/id is required", "line 4: /offers/0/kind is required"]
    );
}

#[test]
fn an_empty_window_is_rejected() {
    let campaign = "campaigns: [{id: ONE, event: e, points: 1, window: {from: '2024-01-01T01:00:00+01:00', until: ";
    let expected = ["line 1: /campaigns/0/window must start before it ends"];
    assert_eq!(problems(&format!("{campaign}'2024-01-01T00:00:00Z'}}}}]\n")), expected);
    assert_eq!(problems(&format!("{campaign}'2024-01-01T00:00:00.001Z'}}}}]\n")), [""; 0]);
}

#[test]
fn a_catalog_is_a_single_plain_document() {
    for (text, expected) in [
        ("", "line 1: the body must be an object"),
        ("# nothing\n", "line 1: the body must be an object"),
        ("- 5\n", "line 1: the body must be an object"),
        ("rewards: enabled\n---\nrewards: enabled\n", "line 3: must be the only document in the file"),
        ("rewards: !!str enabled\n", "line 1: /rewards must not have a tag"),
        ("? [a]\n: b\n", "line 1: must have strings as keys"),
        ("rewards: enabled\nrewards: enabled\n", "line 2: /rewards appears more than once"),
    ] {
        assert_eq!(problems(text), [expected], "{text:?}");
    }
    let broken = problems("rewards: enabled\noffers: [\n");
    assert!(broken.len() == 1 && broken[0].starts_with("line 3: "), "{broken:?}");
}

#[test]
fn deep_nesting_is_rejected_in_flow_and_block_style() {
    let deepest = format!("sections: {}{}\n", "[".repeat(15), "]".repeat(15));
    assert_eq!(problems(&deepest), ["line 1: /sections/0 must be a string"]);
    let deeper = format!("sections: {}{}\n", "[".repeat(16), "]".repeat(16));
    let block = format!("{}x\n", "- ".repeat(100_000));
    for text in [deeper, block] {
        let problems = problems(&text);
        assert!(problems.len() == 1 && problems[0].ends_with("must not be nested deeper than 16"), "{problems:?}");
    }
}

#[test]
fn numbers_that_only_yaml_knows_are_rejected() {
    let accounts = |account: &str| {
        format!(
            "businessUnits: {{U: enabled}}\noffers:\n  - {{id: ONE, unit: U, kind: targeted, reward: {{flat: 1}}, \
             accounts: [{account}]}}\n"
        )
    };
    for text in ["007", "0x1F", "0o17", "+5", ".5", "5.", "1e999", ".inf", "-.INF", ".nan", "-01.5e+3"] {
        let expected = "line 3: /offers/0/accounts/0 must be a number in JSON notation, or a quoted string";
        assert_eq!(problems(&accounts(text)), [expected], "{text}");
    }
    for text in ["1001", "true", "~"] {
        let expected = "line 3: /offers/0/accounts/0 must be a string";
        assert_eq!(problems(&accounts(text)), [expected], "{text}");
    }
    for text in ["A-1", "'007'", "\"5\"", "1-2", "0xG", "1.2.3", "e5", "2024-01-01T00:00:00Z", "on", "1_000"] {
        assert_eq!(problems(&accounts(text)), [""; 0], "{text}");
    }
}

#[test]
fn numbers_are_stored_with_every_digit() {
    let text = "campaigns:\n  - id: EXACT\n    event: e\n    points: 1\n    conditions: [{field: x, eq: 0.1000000000000000055}]\n";
    let source = yaml::read(text).expect("a catalog");
    assert_eq!(
        source.to_json(),
        r#"{"campaigns":[{"conditions":[{"eq":0.1000000000000000055,"field":"x"}],"event":"e","id":"EXACT","points":1}]}"#
    );
}

#[test]
fn stored_catalogs_are_checked_as_strictly() {
    let faults: Vec<_> = Catalog::from_json(r#"{"rewards":"on","offers":[{"id":"A"}]}"#)
        .expect_err("faults")
        .into_iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.message))
        .collect();
    assert_eq!(
        faults,
        [
            "/rewards must be enabled or disabled",
            "/offers/0/id must be 3 to 128 characters from A-Z a-z 0-9 _",
            "/offers/0/unit is required",
            "/offers/0/kind is required",
            "/offers/0/reward is required",
        ]
    );
    assert!(Catalog::from_json(r#"{"rewards":"enabled","rewards":"enabled"}"#).is_err());
    assert!(Catalog::from_json("{").is_err());
}

#[test]
fn an_empty_object_is_the_default_catalog() {
    assert_eq!(Catalog::from_json("{}").ok(), Some(Catalog::default()));
    assert_eq!(yaml::read("{}\n").map(yaml::Source::into_catalog), Ok(Catalog::default()));
}
