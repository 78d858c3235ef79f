//! One run tells everything that is wrong with a catalog, and where.

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
fn every_fault_is_told_with_its_line_in_one_run() {
    assert_eq!(
        problems(BAD),
        [
            "line 1: /rewards must be enabled or disabled",
            "line 2: /channelMerging must be none or mobile or email",
            "line 3: /defaultChannel must have 1 to 64 characters, not only blanks",
            "line 4: /colour is unknown here, where there can be rewards, defaultChannel, channelMerging, sections, \
             actions, businessUnits, offers, campaigns",
            "line 5: /sections/1 appears more than once",
            "line 8: /actions/1 must not have blanks around it",
            "line 11: /businessUnits/A#C must be named with 1 to 64 of A-Z a-z 0-9 _ . -",
            "line 12: /businessUnits/OLD must be enabled or disabled",
            "line 15: /offers/0/unit must be a business unit of this catalog",
            "line 17: /offers/0/reward must be flat, as every base offer's",
            "line 18: /offers/1/id must be 3 to 128 of A-Z a-z 0-9 _",
            "line 21: /offers/1/actions/1 must be an action of this catalog",
            "line 22: /offers/1/channels must have 1 to 10000 items",
            "line 23: /offers/1/accounts can only be there in a targeted offer",
            "line 24: /offers/1/reward/flat must be a whole number from 1 to 1000000000",
            "line 25: /offers/1/window must begin before it ends",
            "line 29: /offers/1/limits/usesPerMember must be a whole number from 1 to 1000000000000000",
            "line 30: /offers/1/limits/pointsPerMember must be a whole number from 1 to 1000000000000000",
            "line 31: /offers/1/limits/usesTotal is unknown here, where there can be usesPerMember, usesInTotal, \
             pointsPerMember",
            "line 32: /offers/2 must have accounts or loyaltyIds, as every targeted offer",
            "line 35: /offers/2/reward/percentage must be a number above 0, at most 100000, with at most 4 decimals",
            "line 36: /offers/2/reward appears more than once",
            "line 37: /offers/2/pointsType must be named with 1 to 64 of A-Z a-z 0-9 _ . -",
            "line 38: /offers/3/id must not be the id of another offer or campaign",
            "line 41: /offers/3/reward/flat must be a number as JSON spells it, or a text in quotes",
            "line 43: /offers/3/conditions/0/ge must be a number",
            "line 44: /offers/3/conditions/1 must ask something of the field: eq, ne, lt, le, gt, ge, in, contains, \
             exists",
            "line 46: /campaigns/0/id must not be the id of another offer or campaign",
            "line 46: /campaigns/0/points must be a whole number from 1 to 1000000000",
            "line 49: /campaigns/1/points must be written out, not be an alias",
            "line 50: /campaigns/1/window/from must be an RFC 3339 timestamp with an offset or Z",
            "line 51: /campaigns/1/conditions/0/above is unknown here, where there can be field, eq, ne, lt, le, gt, ge, \
             in, contains, exists",
            "line 52: /campaigns/2 must be an object",
        ]
    );
}

#[test]
fn what_is_missing_is_told_at_the_line_of_what_it_is_missing_from() {
    assert_eq!(
        problems("businessUnits: {XYZ: enabled}\n\noffers:\n  - unit: XYZ\n    reward: {flat: 5}\n"),
        ["line 4: /offers/0/id is required", "line 4: /offers/0/kind is required"]
    );
}

#[test]
fn a_window_that_ends_as_it_begins_is_refused() {
    let campaign = "campaigns: [{id: ONE, event: e, points: 1, window: {from: '2024-01-01T01:00:00+01:00', until: ";
    let told = ["line 1: /campaigns/0/window must begin before it ends"];
    assert_eq!(problems(&format!("{campaign}'2024-01-01T00:00:00Z'}}}}]\n")), told);
    assert_eq!(problems(&format!("{campaign}'2024-01-01T00:00:00.001Z'}}}}]\n")), [""; 0]);
}

#[test]
fn a_catalog_is_one_plain_document() {
    for (text, told) in [
        ("", "line 1: the body must be an object"),
        ("# nothing\n", "line 1: the body must be an object"),
        ("- 5\n", "line 1: the body must be an object"),
        ("rewards: enabled\n---\nrewards: enabled\n", "line 3: must be the only document of the file"),
        ("rewards: !!str enabled\n", "line 1: /rewards must not have a tag"),
        ("? [a]\n: b\n", "line 1: must have texts as keys"),
        ("rewards: enabled\nrewards: enabled\n", "line 2: /rewards appears more than once"),
    ] {
        assert_eq!(problems(text), [told], "{text:?}");
    }
    let broken = problems("rewards: enabled\noffers: [\n");
    assert!(broken.len() == 1 && broken[0].starts_with("line 3: "), "{broken:?}");
}

#[test]
fn nesting_that_is_too_deep_is_refused_in_any_style() {
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
fn what_json_would_not_call_a_number_is_not_guessed_at() {
    let accounts = |account: &str| {
        format!(
            "businessUnits: {{U: enabled}}\noffers:\n  - {{id: ONE, unit: U, kind: targeted, reward: {{flat: 1}}, \
             accounts: [{account}]}}\n"
        )
    };
    for text in ["007", "0x1F", "0o17", "+5", ".5", "5.", "1e999", ".inf", "-.INF", ".nan", "-01.5e+3"] {
        let told = "line 3: /offers/0/accounts/0 must be a number as JSON spells it, or a text in quotes";
        assert_eq!(problems(&accounts(text)), [told], "{text}");
    }
    for text in ["1001", "true", "~"] {
        let told = "line 3: /offers/0/accounts/0 must be a string";
        assert_eq!(problems(&accounts(text)), [told], "{text}");
    }
    for text in ["A-1", "'007'", "\"5\"", "1-2", "0xG", "1.2.3", "e5", "2024-01-01T00:00:00Z", "on", "1_000"] {
        assert_eq!(problems(&accounts(text)), [""; 0], "{text}");
    }
}

#[test]
fn numbers_keep_every_digit_on_their_way_to_the_store() {
    let text = "campaigns:\n  - id: EXACT\n    event: e\n    points: 1\n    conditions: [{field: x, eq: 0.1000000000000000055}]\n";
    let source = yaml::read(text).expect("a catalog");
    assert_eq!(
        source.to_json(),
        r#"{"campaigns":[{"conditions":[{"eq":0.1000000000000000055,"field":"x"}],"event":"e","id":"EXACT","points":1}]}"#
    );
}

#[test]
fn stored_catalogs_are_read_as_strictly() {
    let faults: Vec<_> = Catalog::from_json(r#"{"rewards":"on","offers":[{"id":"A","id":"B"}]}"#)
        .expect_err("faults")
        .into_iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.message))
        .collect();
    assert_eq!(
        faults,
        [
            "/offers/0/id appears more than once",
            "/rewards must be enabled or disabled",
            "/offers/0/id must be 3 to 128 of A-Z a-z 0-9 _",
            "/offers/0/unit is required",
            "/offers/0/kind is required",
            "/offers/0/reward is required",
        ]
    );
    assert!(Catalog::from_json("{").is_err());
}

#[test]
fn an_empty_catalog_is_the_default_one() {
    assert_eq!(Catalog::from_json("{}").ok(), Some(Catalog::default()));
    assert_eq!(yaml::read("{}\n").map(yaml::Source::into_catalog), Ok(Catalog::default()));
}
