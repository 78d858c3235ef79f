//! The bounds of small catalogs, to the point.

use jiff::{ToSpan as _, civil::date, tz::TimeZone};
use punchcard_models::{data::OpenData, timestamp::Timestamp};
use punchcard_rewards::{
    Catalog, Member, Occurrence, Spans, Trigger, Usage,
    bounds::{Bound, Bounds, Obstacle, Points, Relation, Undecided},
    yaml,
};
use serde_json::{Value, json};

fn bounds(text: &str) -> Bounds {
    let (source, _) = yaml::read_with_any_budget(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    source.catalog().bounds()
}

/// A catalog in Berlin's time with business unit U, and these offers, each without its braces.
fn offers(offers: &[&str]) -> String {
    let offers: Vec<_> = offers.iter().map(|offer| format!("  - {{unit: U, {offer}}}")).collect();
    format!("timezone: Europe/Berlin\nbusinessUnits: {{U: enabled, OLD: disabled}}\noffers:\n{}\n", offers.join("\n"))
}

/// A catalog with one base offer, `RULE`, that pays 5 points, and these members beside.
fn one_offer(rest: &str) -> String {
    offers(&[&format!("id: RULE, kind: base, reward: {{flat: 5}}, {rest}")])
}

fn points<'b>(bounds: &'b Bounds, rule: &str) -> &'b Points {
    &bounds.rules.iter().find(|line| *line.rule == *rule).expect("the rule").points
}

/// The numbers of spans: day, week, month, year, ever.
fn numbers(spans: &Spans<Bound>) -> [Option<u128>; 5] {
    let number = |bound: &Bound| match bound {
        Bound::AtMost(points) => Some(*points),
        Bound::Unbounded { .. } => None,
    };
    spans.as_ref().map(number).into_array()
}

fn per_member(rest: &str) -> [Option<u128>; 5] {
    numbers(&points(&bounds(&one_offer(rest)), "RULE").per_member)
}

fn related(relations: &[Relation]) -> Vec<String> {
    let names = |relation: &Relation| relation.others.iter().map(|id| &**id).collect::<Vec<_>>().join(" ");
    relations.iter().map(|relation| format!("{}: {}", relation.rule, names(relation))).collect()
}

#[test]
fn the_demo_catalog_is_proven_as_documented() {
    let bounds = yaml::read(yaml::DEMO).expect("a catalog").catalog().bounds();
    let expected = "                           to one member                   to all members
                at once    day  week  month  year  ever    day  week  month  year  ever
---------------------------------------------------------------------------------------
ABC_BASE              3      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
ABC_LAUNCH            7    700   700    700   700   700    700   700    700   700   700
BIG_ORDER            50      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
ELECTRONICS          20      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
OLD_BASE              0      0     0      0     0     0      0     0      0     0     0
REVIEW                5     15    15     15    15    15      ∞     ∞      ∞     ∞     ∞
XYZ_BASE             10      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
XYZ_DOWNLOAD         10      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
XYZ_SURVEY            5     10    10     10    10    10      ∞     ∞      ∞     ∞     ∞
XYZ_VIP               5      8     8      8     8     8      8     8      8     8     8
---------------------------------------------------------------------------------------
ABC loyalty          10      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
OLD loyalty           0      0     0      0     0     0      0     0      0     0     0
XYZ loyalty          25      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
campaigns            70      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞
all                  70      ∞     ∞      ∞     ∞     ∞      ∞     ∞      ∞     ∞     ∞

Without limit to one member, for ever: ABC_BASE, BIG_ORDER, ELECTRONICS, XYZ_BASE, XYZ_DOWNLOAD.
Without limit to all members, for ever: ABC_BASE, BIG_ORDER, ELECTRONICS, REVIEW, XYZ_BASE, XYZ_DOWNLOAD, XYZ_SURVEY.
OLD_BASE never pays: business unit OLD is disabled.
ABC_BASE pays whenever one of these does: ABC_LAUNCH.
XYZ_BASE pays whenever one of these does: XYZ_DOWNLOAD, XYZ_SURVEY, XYZ_VIP.
";
    assert_eq!(bounds.to_string(), expected);
    assert_eq!(points(&bounds, "XYZ_BASE").in_all.day, Bound::Unbounded { because: bounds.rules[6].rule.clone() });
    // In all, the first rule without a limit is named.
    assert_eq!(bounds.all.per_member.ever, Bound::Unbounded { because: bounds.rules[0].rule.clone() });
}

/// Plays an activity every six hours of some years, and returns the most points that any day, week, month and year has, and
/// their sum.
fn greedy(catalog: &Catalog, years: std::ops::Range<i16>) -> [u128; 5] {
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let mut now = date(years.start, 1, 1).to_zoned(zone.clone()).expect("a date");
    let end = date(years.end, 1, 1).to_zoned(zone).expect("a date");
    let mut paid = std::collections::BTreeMap::<_, u128>::new();
    let (mut usage, data) = (Usage::default(), OpenData::new());
    while now < end {
        let at = Timestamp::from_millis(now.timestamp().as_millisecond());
        let trigger = Trigger::Action("APP_CHECKIN");
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        let award = catalog.evaluate(&occurrence, Member::default(), &usage);
        usage.add(&award);
        let week = now.date().iso_week_date();
        let periods = [
            now.date().to_string(),
            format!("{} {}", week.year(), week.week()),
            now.strftime("%Y-%m").to_string(),
            now.year().to_string(),
            String::new(),
        ];
        for (unit, period) in periods.into_iter().enumerate() {
            *paid.entry((unit, period)).or_default() += u128::from(award.points());
        }
        now = now.checked_add(6.hours()).expect("a date");
    }
    [0, 1, 2, 3, 4].map(|wanted| {
        let of_unit = paid.iter().filter(|((unit, _), _)| *unit == wanted).map(|(_, sum)| *sum);
        of_unit.max().unwrap_or(0)
    })
}

#[test]
fn limits_per_period_are_reached_in_the_longest_periods() {
    // Leap years that begin on a Monday, and on a Sunday.
    for (rest, years, expected) in [
        ("limits: {usesPerMember: {day: 2}}", 2024..2025, [10, 70, 310, 3660]),
        ("limits: {pointsPerMember: {day: 8}}", 2024..2025, [8, 56, 248, 2928]),
        ("limits: {usesPerMember: {week: 3}}", 2012..2013, [15, 15, 90, 810]),
        ("limits: {usesPerMember: {day: 3, week: 4, month: 7}}", 2024..2025, [15, 20, 35, 420]),
        ("limits: {usesPerMember: {day: 2}}, conditions: [{weekday: [monday]}]", 2024..2025, [10, 10, 50, 530]),
        (
            "limits: {usesPerMember: {day: 1}}, conditions: [{any: [{weekday: [monday]}, {all: [{weekday: [tuesday]}]}]}]",
            2024..2025,
            [5, 10, 50, 530],
        ),
    ] {
        let catalog = yaml::read(&one_offer(rest)).expect("a catalog").into_catalog();
        assert_eq!(per_member(rest)[..4], expected.map(Some), "{rest}");
        assert_eq!(greedy(&catalog, years)[..4], expected, "{rest}");
    }
    // A week that has days of two months or years is paid at the end of one and at the start of the other.
    assert_eq!(per_member("limits: {usesPerMember: {month: 3}}"), [Some(15), Some(30), Some(15), Some(180), None]);
    assert_eq!(per_member("limits: {usesPerMember: {year: 3}}"), [Some(15), Some(30), Some(15), Some(15), None]);
}

#[test]
fn limits_for_ever_bound_each_period() {
    for (rest, expected) in [
        ("limits: {}", [None; 5]),
        ("every: 3", [None; 5]),
        ("first: true", [Some(5); 5]),
        ("limits: {usesPerMember: 4}", [Some(20); 5]),
        ("limits: {pointsPerMember: 18}", [Some(18); 5]),
        ("limits: {usesPerMember: 4, pointsPerMember: 3}", [Some(3); 5]),
        ("limits: {usesInTotal: 7}", [Some(35); 5]),
        ("limits: {usesPerMember: 9, usesInTotal: 7}", [Some(35); 5]),
        ("limits: {usesPerMember: {ever: 6, day: 2}}", [10, 30, 30, 30, 30].map(Some)),
        ("limits: {usesPerMember: {day: 1, ever: 40}}", [5, 35, 155, 200, 200].map(Some)),
        ("limits: {pointsPerMember: {week: 30}}", [Some(30), Some(30), Some(180), Some(1620), None]),
    ] {
        assert_eq!(per_member(rest), expected, "{rest}");
    }
}

#[test]
fn a_window_bounds_the_number_of_periods() {
    let window = |from: &str, until: &str, rest: &str| format!("window: {{from: '{from}', until: '{until}'}}, {rest}");
    for (from, until, rest, ever) in [
        ("2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00", "limits: {usesPerMember: {month: 1}}", 30),
        ("2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00.001+02:00", "limits: {usesPerMember: {month: 1}}", 35),
        // In Berlin it is the first day of the month already.
        ("2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z", "limits: {usesPerMember: {day: 1}}", 29 * 5),
        ("2024-01-01T00:00:00+01:00", "2024-01-15T00:00:00+01:00", "limits: {usesPerMember: {week: 1}}", 10),
        ("2023-12-31T00:00:00+01:00", "2024-01-02T00:00:00+01:00", "limits: {usesPerMember: {year: 1}}", 10),
        // Two Mondays, and a Sunday before and a Tuesday after.
        (
            "2023-12-31T00:00:00+01:00",
            "2024-01-10T00:00:00+01:00",
            "limits: {usesPerMember: {day: 1}}, conditions: [{weekday: [monday]}]",
            10,
        ),
        ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "limits: {usesPerMember: {day: 1, ever: 1}}", 5),
    ] {
        let rest = window(from, until, rest);
        assert_eq!(per_member(&rest)[4], Some(ever), "{rest}");
    }
    let open = "window: {from: '2024-01-01T00:00:00Z'}, limits: {usesPerMember: {day: 1}}";
    assert_eq!(per_member(open)[4], None);
}

#[test]
fn only_total_limits_and_audiences_bound_all_members() {
    for (offer, member, all) in [
        ("kind: bonus, reward: {flat: 5}, limits: {usesPerMember: 2}", Some(10), None),
        ("kind: bonus, reward: {flat: 5}, limits: {usesPerMember: 2, usesInTotal: 3}", Some(10), Some(15)),
        ("kind: targeted, reward: {flat: 5}, accounts: [A, B], loyaltyIds: [L]", None, None),
        ("kind: targeted, reward: {flat: 5}, accounts: [A, B], loyaltyIds: [L], first: true", Some(5), Some(15)),
        (
            "kind: targeted, reward: {flat: 5}, accounts: [A, B], limits: {usesPerMember: 4, usesInTotal: 5}",
            Some(20),
            Some(25),
        ),
    ] {
        let bounds = bounds(&offers(&[&format!("id: RULE, {offer}")]));
        let points = points(&bounds, "RULE");
        assert_eq!((numbers(&points.per_member)[4], numbers(&points.in_all)[4]), (member, all), "{offer}");
    }
}

#[test]
fn a_share_is_one_of_the_base_points_that_may_be_paid_with_it() {
    let share = |bases: &[&str], scope: &str| {
        let bases = bases.iter().zip(["BASE_1", "BASE_2", "BASE_3"]);
        let mut all: Vec<_> = bases.map(|(base, id)| format!("id: {id}, kind: base, {base}")).collect();
        all.push(format!("id: SHARE, kind: bonus, {scope}"));
        let bounds = bounds(&offers(&all.iter().map(String::as_str).collect::<Vec<_>>()));
        let points = points(&bounds, "SHARE");
        (points.per_occurrence, numbers(&points.per_member)[4])
    };
    let twice = "reward: {multiplier: 2}";
    for (bases, scope, at_once, ever) in [
        (&["reward: {flat: 10}", "reward: {flat: 5}"][..], twice, 15, None),
        (&["reward: {flat: 10}, pointsType: status", "reward: {flat: 5}"], twice, 5, None),
        (
            &["reward: {flat: 10}, actions: [APP_CHECKIN]", "reward: {flat: 5}, actions: [APP_DOWNLOAD]"],
            twice,
            10,
            None,
        ),
        (&["reward: {flat: 10}, channels: [APP]", "reward: {flat: 5}, channels: [WEB]"], twice, 10, None),
        (
            &["reward: {flat: 10}, channels: [APP]", "reward: {flat: 5}"],
            "reward: {multiplier: 2}, channels: [WEB]",
            5,
            None,
        ),
        (
            &[
                "reward: {flat: 10}, window: {until: '2024-01-01T00:00:00Z'}",
                "reward: {flat: 5}, window: {from: '2024-01-01T00:00:00Z'}",
                "reward: {flat: 1}",
            ],
            twice,
            11,
            None,
        ),
        (
            &["reward: {flat: 10}, conditions: [{field: tier, eq: gold}]", "reward: {flat: 5}"],
            "reward: {multiplier: 2}, conditions: [{field: tier, eq: silver}]",
            5,
            None,
        ),
        (
            &["reward: {flat: 10}, conditions: [{weekday: [monday]}]", "reward: {flat: 5}"],
            "reward: {multiplier: 2}, conditions: [{weekday: [sunday]}]",
            5,
            None,
        ),
        // The points that base offers pay in all bound all of their shares.
        (&["reward: {flat: 10}, limits: {usesPerMember: 3}"], "reward: {percentage: 55}", 5, Some(16)),
        (&["reward: {flat: 10}, limits: {pointsPerMember: 7}"], twice, 7, Some(7)),
        (&["reward: {flat: 1000000000}"], "reward: {multiplier: 3}", 1_000_000_000, None),
    ] {
        assert_eq!(share(bases, scope), (at_once, ever), "{bases:?} {scope}");
    }
}

#[test]
fn rules_that_pay_together_are_added() {
    let bounds = bounds(&offers(&[
        "id: ALL, kind: base, reward: {flat: 1}, limits: {usesPerMember: {day: 1}}",
        "id: APP, kind: bonus, reward: {flat: 10}, channels: [APP], first: true",
        "id: WEB, kind: bonus, reward: {flat: 20}, channels: [WEB], first: true",
        "id: STATUS, kind: base, reward: {flat: 100}, pointsType: status, limits: {usesInTotal: 1}",
    ]));
    let balances: Vec<_> = bounds
        .balances
        .iter()
        .map(|line| (line.balance.to_string(), line.points.per_occurrence, numbers(&line.points.per_member)[0]))
        .collect();
    assert_eq!(balances, [("U loyalty".to_owned(), 21, Some(31)), ("U status".to_owned(), 100, Some(100))]);
    assert_eq!((bounds.all.per_occurrence, numbers(&bounds.all.per_member)[1]), (121, Some(137)));
}

#[test]
fn rules_that_never_pay_are_named_with_a_reason() {
    let field = |name: &str| Obstacle::Contradiction(name.to_owned());
    for (rest, because) in [
        ("conditions: [{field: x, ge: 5}, {field: y, eq: 1}, {field: x, lt: 5}]", Some(field("x"))),
        ("conditions: [{field: x, eq: gold, ne: gold}]", Some(field("x"))),
        ("conditions: [{field: x, contains: 5}]", Some(field("x"))),
        (
            "conditions: [{field: x, eq: a}, {any: [{field: x, eq: b}, {field: x, exists: false}]}]",
            Some(Obstacle::Contradictions),
        ),
        ("conditions: [{weekday: [monday]}, {all: [{weekday: [sunday, friday]}]}]", Some(Obstacle::NoTime)),
        (
            "conditions: [{timeOfDay: {from: '22:00', until: '02:00'}}, {timeOfDay: {from: '02:00', until: '22:00'}}]",
            Some(Obstacle::NoTime),
        ),
        // 2024-01-01 was a Monday.
        (
            "conditions: [{weekday: [tuesday]}], window: {from: '2024-01-01T00:00:00+01:00', until: '2024-01-02T00:00:00+01:00'}",
            Some(Obstacle::NoTime),
        ),
        (
            "conditions: [{weekday: [tuesday]}], window: {from: '2024-01-01T00:00:00+01:00', until: '2024-01-02T00:00:00.001+01:00'}",
            None,
        ),
        ("conditions: [{field: x, ge: 5}, {field: x, le: 5}]", None),
        ("conditions: [{field: x, eq: a}, {any: [{field: x, eq: b}, {field: x, eq: a}]}]", None),
    ] {
        let never = bounds(&one_offer(rest)).never.into_iter().next().map(|never| never.because);
        assert_eq!(never, because, "{rest}");
        assert_eq!(per_member(rest) == [Some(0); 5], because.is_some(), "{rest}");
    }
    let shares = bounds(&offers(&[
        "id: BASE, kind: base, reward: {flat: 9}, actions: [APP_CHECKIN], channels: [APP]",
        "id: OTHER_ACTION, kind: bonus, reward: {multiplier: 2}, actions: [APP_DOWNLOAD]",
        "id: OTHER_CHANNEL, kind: bonus, reward: {multiplier: 2}, channels: [WEB]",
        "id: OTHER_TYPE, kind: bonus, reward: {multiplier: 2}, pointsType: status",
        "id: ONCE, kind: bonus, reward: {multiplier: 1}",
        "id: SMALL, kind: bonus, reward: {percentage: 11}",
        "id: TENTH, kind: bonus, reward: {percentage: 11.12}",
    ]));
    let never: Vec<_> = shares.never.iter().map(|never| format!("{}: {:?}", never.rule, never.because)).collect();
    let expected = [
        "ONCE: LessThanOnePoint { base: 9 }",
        "OTHER_ACTION: NoBasePoints",
        "OTHER_CHANNEL: NoBasePoints",
        "OTHER_TYPE: NoBasePoints",
        "SMALL: LessThanOnePoint { base: 9 }",
    ];
    assert_eq!(never, expected);
    let disabled = bounds(&format!("rewards: disabled\n{}", one_offer("first: true")));
    assert_eq!(disabled.never[0].because, Obstacle::RewardsDisabled);
}

#[test]
fn what_cannot_be_decided_is_said() {
    let many = (0..70).map(|index| format!("{{field: x{index}, eq: 1}}")).collect::<Vec<_>>().join(", ");
    let undecided = bounds(&offers(&[
        // A number may be spelled in more ways than are tried.
        "id: SPELLED, kind: base, reward: {flat: 5}, conditions: [{field: x, eq: 5, contains: '00'}]",
        &format!("id: MANY, kind: bonus, reward: {{flat: 5}}, conditions: [{{any: [{many}]}}]"),
    ]));
    let can_pay: Vec<_> = undecided.undecided.iter().map(|undecided| format!("{undecided:?}")).collect();
    assert!(can_pay.len() >= 2 && can_pay[0].contains("MANY") && can_pay[1].contains("SPELLED"), "{can_pay:?}");
    assert!(undecided.never.is_empty());
    // Together, the alternatives are always met.
    let alternatives = bounds(&offers(&[
        "id: ONE, kind: bonus, reward: {flat: 5}, conditions: [{field: x, ge: 0}]",
        "id: TWO, kind: bonus, reward: {flat: 6}, conditions: [{any: [{field: x, lt: 9}, {field: x, ge: 9}]}]",
    ]));
    assert_eq!((related(&alternatives.accompany), alternatives.never.len()), (vec![], 0));
    let [Undecided::Accompanies(relation)] = &alternatives.undecided[..] else { panic!("{alternatives:?}") };
    assert_eq!(related(std::slice::from_ref(relation)), ["TWO: ONE"]);
    assert!(alternatives.to_string().contains("Undecided: whether TWO pays whenever one of these does: ONE.\n"));
}

#[test]
fn repeated_rules_and_rules_that_accompany_others_are_named() {
    let found = bounds(&offers(&[
        "id: BASE, kind: base, reward: {flat: 10}",
        "id: GOLD, kind: bonus, reward: {flat: 5}, conditions: [{field: amount, ge: 100}], limits: {usesPerMember: 1}",
        "id: GOLD_AGAIN, kind: bonus, reward: {flat: 5}, conditions: [{field: amount, ge: 100}], limits: {usesPerMember: 1}",
        "id: SILVER, kind: bonus, reward: {percentage: 10}, conditions: [{field: amount, ge: 50}], actions: [APP_CHECKIN]",
        "id: SMALL, kind: bonus, reward: {percentage: 9}, window: {from: '2024-01-01T00:00:00Z'}",
        "id: VIP, kind: targeted, accounts: [A], reward: {flat: 5}, actions: [APP_CHECKIN], conditions: [{field: amount, eq: 60}]",
    ]));
    assert_eq!(related(&found.repeats), ["GOLD: GOLD_AGAIN"]);
    // The share SILVER needs base points, which BASE always pays. SMALL is less than one point.
    assert_eq!(related(&found.accompany), ["BASE: GOLD GOLD_AGAIN SILVER VIP", "SILVER: VIP"]);
    assert_eq!(found.undecided, []);
    assert_eq!(found.never[0].because, Obstacle::LessThanOnePoint { base: 10 });
}

#[test]
fn a_share_accompanies_others_only_with_enough_base_points() {
    for (base, share, accompanies) in [
        ("reward: {flat: 10}", "reward: {percentage: 10}", vec!["BASE: FLAT SHARE", "SHARE: BASE FLAT"]),
        ("reward: {flat: 10}, conditions: [{field: x, eq: 1}]", "reward: {percentage: 10}", vec!["SHARE: BASE"]),
        // The last payment may be a single point.
        ("reward: {flat: 10}, limits: {pointsPerMember: 11}", "reward: {percentage: 10}", vec![]),
        ("reward: {flat: 10}, limits: {pointsPerMember: 11}", "reward: {percentage: 100}", vec!["SHARE: BASE"]),
        ("reward: {flat: 10}, limits: {usesPerMember: 1}", "reward: {percentage: 10}", vec!["SHARE: BASE"]),
        ("reward: {flat: 10}, first: true", "reward: {percentage: 10}, channels: [APP]", vec![]),
        ("reward: {flat: 10}, every: 2", "reward: {percentage: 10}, limits: {usesInTotal: 1}", vec![]),
        ("reward: {flat: 10}, pointsType: status", "reward: {percentage: 10}", vec!["BASE: FLAT"]),
    ] {
        let found = bounds(&offers(&[
            &format!("id: BASE, kind: base, {base}"),
            &format!("id: SHARE, kind: bonus, {share}"),
            "id: FLAT, kind: bonus, reward: {flat: 5}, limits: {usesPerMember: 2}",
        ]));
        assert_eq!(related(&found.accompany), accompanies, "{base} {share}");
        assert_eq!(found.undecided, [], "{base} {share}");
    }
}

const BUDGET: &str = "budget:
  perMember:
    day: 24
    ever: 1000
  inAll: {month: 1000}
campaigns:
  - {id: REVIEW, event: review, points: 5, limits: {usesPerMember: {day: 3}}}
  - {id: ORDER, event: order, points: 10, limits: {usesPerMember: {day: 1}}}
";

fn problems(text: &str) -> Vec<String> {
    yaml::read(text).err().into_iter().flatten().map(|problem| problem.to_string()).collect()
}

#[test]
fn a_budget_that_is_not_proven_is_a_problem() {
    let expected = [
        "line 3: /budget/perMember/day must be at least 25, the most that can be paid, because of REVIEW, which can pay 15",
        "line 4: /budget/perMember/ever is not proven: ORDER and another rule can pay without limit",
        "line 5: /budget/inAll/month is not proven: ORDER and another rule can pay without limit",
    ];
    assert_eq!(problems(BUDGET), expected);
    let (source, over_budget) = yaml::read_with_any_budget(BUDGET).expect("a catalog");
    assert_eq!(over_budget.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    // A stored catalog is not refused, so that one that was applied can always be read.
    let stored = Catalog::from_json(source.to_json()).expect("a catalog");
    assert_eq!((&stored, stored.over_budget().len()), (source.catalog(), 3));
    assert_eq!(stored.bounds().over_budget, stored.over_budget());
    let within = "budget: {perMember: {day: 25, week: 175, month: 775, year: 9150}}\n";
    let campaigns = BUDGET.split_once("campaigns:").expect("campaigns").1;
    assert_eq!(problems(&format!("{within}campaigns:{campaigns}")), [""; 0]);
    assert_eq!(problems(&format!("{}campaigns:{campaigns}", within.replace("9150", "9149"))).len(), 1);
}

#[test]
fn other_problems_hide_those_of_the_budget() {
    assert_eq!(problems(&format!("{BUDGET}  - {{id: X, event: e, points: 1}}\n")).len(), 1);
}

#[test]
fn malformed_budgets_are_rejected() {
    for (budget, expected) in [
        ("5", "line 1: /budget must be an object"),
        ("{inall: {day: 1}}", "line 1: /budget/inall is not a known member; allowed are perMember, inAll"),
        ("{inAll: 5}", "line 1: /budget/inAll must be an object"),
        ("{inAll: {day: 0}}", "line 1: /budget/inAll/day must be a whole number from 1 to 1000000000000000000"),
        (
            "{perMember: {week: '1'}}",
            "line 1: /budget/perMember/week must be a whole number from 1 to 1000000000000000000",
        ),
        (
            "{perMember: {hour: 1}}",
            "line 1: /budget/perMember/hour is not a known member; allowed are day, week, month, year, ever",
        ),
    ] {
        assert_eq!(problems(&format!("budget: {budget}\n")), [expected], "{budget}");
    }
    assert_eq!(problems("budget: {}\n"), [""; 0]);
}

#[test]
fn bounds_have_a_form_in_json() {
    let bounds = bounds(BUDGET);
    let json: Value = serde_json::from_str(&bounds.to_json().to_string()).expect("JSON");
    let spans =
        |day, week, month, year, ever| json!({"day": day, "week": week, "month": month, "year": year, "ever": ever});
    let review = json!({
        "rule": "REVIEW", "perOccurrence": 5,
        "perMember": spans(json!(15), json!(105), json!(465), json!(5490), json!("REVIEW")),
        "inAll": spans(json!("REVIEW"), json!("REVIEW"), json!("REVIEW"), json!("REVIEW"), json!("REVIEW")),
    });
    assert_eq!(json["rules"][1], review);
    assert_eq!(json["all"]["perMember"]["day"], 25);
    assert_eq!(json["balances"][0]["campaigns"], true);
    assert_eq!(json["overBudget"][1]["pointer"], "/budget/perMember/ever");
    assert_eq!((&json["never"], &json["isIncomplete"]), (&json!([]), &json!(false)));
}
