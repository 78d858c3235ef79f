//! Every rule of the demo catalog pays as documented.

use punchcard_models::{
    data::{Datum, OpenData, Scalar},
    decimal::Decimal,
    ids::{AccountId, LoyaltyId},
    settings::{ChannelMerging, UnitStatus},
    timestamp::Timestamp,
};
use punchcard_rewards::{
    BUILT_IN_ACTIONS, Catalog, Counter, Earned, Limit, Member, Occurrence, Reason, Trigger, Usage, Verdict,
    yaml::{self, DEMO},
};

fn demo() -> Catalog {
    yaml::read(DEMO).expect("a catalog").into_catalog()
}

fn moment(text: &str) -> Timestamp {
    Timestamp::from_text(text).expect("a moment")
}

/// By rule.
type Verdicts<'c> = Vec<(String, Verdict<'c>)>;
/// By business unit and points type.
type Books = Vec<(String, Earned)>;

/// An activity in mid-2026, on the web, for every unit, of a member without account.
struct Activity<'a> {
    action: &'a str,
    channel: &'a str,
    unit: Option<&'a str>,
    when: &'a str,
    account: Option<&'a str>,
}

impl<'a> Activity<'a> {
    fn of(action: &'a str) -> Self {
        Activity { action, channel: "WEB", unit: None, when: "2026-06-01T12:00:00Z", account: None }
    }

    /// The verdict of each rule, and the points earned.
    fn judged<'c>(&self, catalog: &'c Catalog, usage: &mut Usage) -> (Verdicts<'c>, Books) {
        let account = self.account.map(|id| id.parse::<AccountId>().expect("an id"));
        let member = Member { account: account.as_ref(), loyalty: None };
        let occurrence = Occurrence {
            trigger: Trigger::Action(self.action),
            channel: Some(self.channel),
            business_unit: self.unit,
            at: moment(self.when),
            received_at: moment(self.when),
            data: &OpenData::new(),
        };
        let award = catalog.evaluate(&occurrence, member, usage);
        usage.add(&award);
        let verdicts = award.trace().iter().map(|line| (line.rule.id().to_string(), line.verdict)).collect();
        let earned = award.earned().into_iter().flat_map(|(unit, types)| {
            types.into_iter().map(move |(points_type, earned)| (format!("{unit} {points_type}"), earned))
        });
        (verdicts, earned.collect())
    }

    fn earned(&self, catalog: &Catalog, usage: &mut Usage) -> Books {
        self.judged(catalog, usage).1
    }

    fn verdict<'c>(&self, catalog: &'c Catalog, rule: &str) -> Verdict<'c> {
        let (verdicts, _) = self.judged(catalog, &mut Usage::default());
        verdicts.into_iter().find(|(id, _)| id == rule).expect("the rule answers").1
    }
}

fn loyalty(unit: &str, base: u64, bonus: u64, targeted: u64) -> (String, Earned) {
    (format!("{unit} loyalty"), Earned { base, bonus, targeted })
}

const fn paid(points: u64) -> Verdict<'static> {
    Verdict::Paid { points, due: points, reduced_by: None }
}

/// The verdict of a rule that has used its limit up.
const fn reached(counter: Counter, limit: u64, due: u64) -> Verdict<'static> {
    Verdict::NotPaid(Reason::LimitReached { limit: Limit { counter, period: None, limit, used: limit }, due })
}

#[test]
fn the_settings_are_the_documented_ones() {
    let demo = demo();
    assert!(demo.rewards_enabled());
    assert_eq!(demo.default_channel(), None);
    assert_eq!(demo.channel_merging(), ChannelMerging::None);
    assert_eq!(demo.sections().iter().collect::<Vec<_>>(), ["VIPLounge"]);
    assert_eq!(*demo.actions(), BUILT_IN_ACTIONS.map(str::to_owned).into());
    let units = [("ABC", UnitStatus::Enabled), ("OLD", UnitStatus::Disabled), ("XYZ", UnitStatus::Enabled)];
    assert!(demo.business_units().iter().map(|(name, status)| (name.as_str(), *status)).eq(units));
    assert_eq!(demo.rules().filter(|rule| rule.is_campaign()).count(), 3);
    assert_eq!(demo.rules().count(), 10);
}

#[test]
fn what_is_stored_is_the_same_catalog() {
    let source = yaml::read(DEMO).expect("a catalog");
    assert_eq!(Catalog::from_json(source.to_json()).as_ref().ok(), Some(source.catalog()));
}

/// The demo catalog with its commented-out examples enabled: keys of any depth, and list items.
fn with_examples() -> String {
    let lines = DEMO.lines().map(|line| match line.split_once("# ") {
        Some((indent, example)) if indent.trim().is_empty() => {
            let is_key = example.split(' ').next().is_some_and(|word| word.ends_with(':'));
            let is_item = !indent.is_empty() && (example.starts_with("- ") || example.starts_with("  "));
            if is_key || is_item { format!("{indent}{example}\n") } else { "\n".to_owned() }
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn the_examples_in_its_comments_are_right() {
    let catalog = yaml::read(&with_examples()).expect("a catalog").into_catalog();
    assert_eq!(catalog.default_channel(), Some("APP"));
    assert!(catalog.actions().contains("STORE_VISIT"));
    let added =
        catalog.rules().map(|rule| rule.id().to_string()).filter(|id| !DEMO.contains(&format!("  - id: {id}\n")));
    assert_eq!(added.collect::<Vec<_>>(), ["SUMMER_RANGE", "XYZ_HAPPY_HOUR", "XYZ_TIERED"]);
}

#[test]
fn base_offers_pay_for_any_action_and_disabled_units_never() {
    let demo = demo();
    for action in BUILT_IN_ACTIONS {
        let activity = Activity::of(action);
        assert_eq!(activity.verdict(&demo, "XYZ_BASE"), paid(10));
        assert_eq!(activity.verdict(&demo, "ABC_BASE"), paid(3));
        assert_eq!(activity.verdict(&demo, "OLD_BASE"), Verdict::NotPaid(Reason::UnitDisabled));
    }
    let old = Activity { unit: Some("OLD"), ..Activity::of("APP_CHECKIN") };
    assert_eq!(old.earned(&demo, &mut Usage::default()), []);
}

#[test]
fn an_activity_for_one_unit_earns_there_only() {
    let (demo, activity) = (demo(), Activity { unit: Some("ABC"), ..Activity::of("SURVEY_RESPONSE") });
    assert_eq!(activity.earned(&demo, &mut Usage::default()), [loyalty("ABC", 3, 0, 0)]);
    assert_eq!(activity.verdict(&demo, "XYZ_BASE"), Verdict::NotPaid(Reason::OtherUnit));
}

#[test]
fn a_survey_pays_its_bonus_twice() {
    let (demo, mut usage) = (demo(), Usage::default());
    let survey = Activity::of("SURVEY_RESPONSE");
    for bonus in [5, 5, 0, 0] {
        assert_eq!(survey.earned(&demo, &mut usage), [loyalty("ABC", 3, 0, 0), loyalty("XYZ", 10, bonus, 0)]);
    }
    let (verdicts, _) = survey.judged(&demo, &mut usage);
    assert!(verdicts.contains(&("XYZ_SURVEY".to_owned(), reached(Counter::MemberUses, 2, 5))));
}

#[test]
fn a_download_doubles_the_base_points_in_the_app_only() {
    let demo = demo();
    let download = Activity { channel: "APP", ..Activity::of("APP_DOWNLOAD") };
    assert_eq!(
        download.earned(&demo, &mut Usage::default()),
        [loyalty("ABC", 3, 0, 0), loyalty("XYZ", 10, 10, 0)],
        "the base points of XYZ alone are doubled"
    );
    let elsewhere = Activity::of("APP_DOWNLOAD");
    assert_eq!(elsewhere.verdict(&demo, "XYZ_DOWNLOAD"), Verdict::NotPaid(Reason::OtherChannel));
}

#[test]
fn the_targeted_account_gets_its_percentage_rounded_down_and_at_the_limit_what_is_left() {
    let (demo, mut usage) = (demo(), Usage::default());
    let activity = Activity { unit: Some("XYZ"), account: Some("A-1001"), ..Activity::of("APP_CHECKIN") };
    for targeted in [5, 3, 0, 0] {
        assert_eq!(activity.earned(&demo, &mut usage), [loyalty("XYZ", 10, 0, targeted)]);
    }
    let (verdicts, _) = activity.judged(&demo, &mut usage);
    assert!(verdicts.contains(&("XYZ_VIP".to_owned(), reached(Counter::MemberPoints, 8, 5))));
    for account in [None, Some("A-1002"), Some("a-1001")] {
        let other = Activity { account, ..Activity::of("APP_CHECKIN") };
        assert_eq!(other.verdict(&demo, "XYZ_VIP"), Verdict::NotPaid(Reason::NotTargeted));
    }
}

#[test]
fn what_is_left_of_a_points_limit_is_paid_only_if_exactly_that_is_left() {
    let (demo, account) = (demo(), "A-1001".parse::<AccountId>().expect("an id"));
    let occurrence = Occurrence {
        trigger: Trigger::Action("APP_CHECKIN"),
        channel: None,
        business_unit: Some("XYZ"),
        at: moment("2026-06-01T12:00:00Z"),
        received_at: moment("2026-06-01T12:00:00Z"),
        data: &OpenData::new(),
    };
    let member = Member { account: Some(&account), loyalty: None };
    for (seen, amount, exact) in [(0, 5, false), (3, 5, false), (4, 4, true), (7, 1, true)] {
        let mut usage = Usage::default();
        usage.set("sum#XYZ_VIP", seen);
        let award = demo.evaluate(&occurrence, member, &usage);
        let rule = demo.rules().find(|rule| **rule.id() == *"XYZ_VIP").expect("the offer").id();
        let [spend] = award.spends() else { panic!("{:?}", award.spends()) };
        assert_eq!((spend.rule, spend.counter, spend.limit), (rule, Counter::MemberPoints, 8));
        assert_eq!((spend.amount, spend.seen, spend.exact), (amount, seen, exact));
        assert_eq!(spend.most_before(), 8 - amount);
    }
}

#[test]
fn a_loyalty_id_that_reads_like_the_account_is_not_the_account() {
    let (demo, loyalty) = (demo(), "A-1001".parse::<LoyaltyId>().expect("an id"));
    let (occurrence, member) = (
        Occurrence {
            trigger: Trigger::Action("APP_CHECKIN"),
            channel: None,
            business_unit: None,
            at: moment("2026-06-01T12:00:00Z"),
            received_at: moment("2026-06-01T12:00:00Z"),
            data: &OpenData::new(),
        },
        Member { account: None, loyalty: Some(&loyalty) },
    );
    assert_eq!(demo.evaluate(&occurrence, member, &Usage::default()).points(), 13);
}

#[test]
fn the_launch_pays_from_the_first_to_the_last_millisecond_of_2024() {
    let demo = demo();
    for (when, verdict) in [
        ("2023-12-31T23:59:59.999Z", Verdict::NotPaid(Reason::BeforeWindow)),
        ("2024-01-01T00:00:00Z", paid(7)),
        ("2024-01-01T00:30:00+01:00", Verdict::NotPaid(Reason::BeforeWindow)),
        ("2024-12-31T23:59:59.999Z", paid(7)),
        ("2025-01-01T00:00:00Z", Verdict::NotPaid(Reason::AfterWindow)),
    ] {
        let checkin = Activity { when, ..Activity::of("APP_CHECKIN") };
        assert_eq!(checkin.verdict(&demo, "ABC_LAUNCH"), verdict, "{when}");
    }
}

#[test]
fn the_launch_pays_a_hundred_times_in_all() {
    let (demo, mut usage) = (demo(), Usage::default());
    let checkin = Activity { when: "2024-06-01T00:00:00Z", unit: Some("ABC"), ..Activity::of("APP_CHECKIN") };
    let bonuses: Vec<_> = (0..102).map(|_| checkin.earned(&demo, &mut usage)[0].1.bonus).collect();
    assert_eq!(bonuses, [&[7; 100][..], &[0, 0]].concat());
    let (verdicts, _) = checkin.judged(&demo, &mut usage);
    assert!(verdicts.contains(&("ABC_LAUNCH".to_owned(), reached(Counter::TotalUses, 100, 7))));
}

#[test]
fn the_trace_names_the_offers_of_the_action_by_id() {
    let demo = demo();
    let (verdicts, _) = Activity::of("APP_DOWNLOAD").judged(&demo, &mut Usage::default());
    let ids: Vec<_> = verdicts.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["ABC_BASE", "OLD_BASE", "XYZ_BASE", "XYZ_DOWNLOAD", "XYZ_VIP"]);
}

#[test]
fn an_action_that_is_not_in_the_catalog_earns_nothing() {
    let demo = demo();
    let (verdicts, earned) = Activity::of("STORE_VISIT").judged(&demo, &mut Usage::default());
    assert_eq!((verdicts.len(), earned), (0, vec![]));
}

#[test]
fn a_disabled_programme_pays_nothing_and_says_so() {
    let disabled =
        yaml::read(&DEMO.replace("rewards: enabled", "rewards: disabled")).expect("a catalog").into_catalog();
    let (verdicts, earned) = Activity::of("SURVEY_RESPONSE").judged(&disabled, &mut Usage::default());
    assert_eq!(earned, []);
    assert_eq!(verdicts.len(), 5);
    assert!(verdicts.iter().all(|(_, verdict)| *verdict == Verdict::NotPaid(Reason::RewardsDisabled)), "{verdicts:?}");
}

/// The points that an event earns, by campaign.
fn event(name: &str, data: &OpenData, usage: &mut Usage) -> (u64, Vec<String>) {
    let demo = demo();
    let occurrence = Occurrence {
        trigger: Trigger::Event(name),
        channel: None,
        business_unit: None,
        at: moment("2026-06-01T12:00:00Z"),
        received_at: moment("2026-06-01T12:00:00Z"),
        data,
    };
    let award = demo.evaluate(&occurrence, Member::default(), usage);
    usage.add(&award);
    assert!(award.earned().is_empty(), "campaigns belong to no unit");
    let paying = award.trace().iter().filter(|line| line.points() > 0);
    (award.points(), paying.map(|line| line.rule.id().to_string()).collect())
}

fn number(text: &'static str) -> Datum {
    Datum::One(Scalar::Number(Decimal::parse(text).expect("a number")))
}

fn text(text: &str) -> Scalar {
    Scalar::String(text.to_owned())
}

#[test]
fn an_order_of_a_hundred_is_big_as_a_number_or_a_string() {
    let total = |datum| vec![("total_amount".to_owned(), datum)];
    for big in [number("100"), number("100.01"), Datum::One(text("100")), Datum::One(text("1e2"))] {
        let paid = event("place_order", &total(big.clone()), &mut Usage::default());
        assert_eq!(paid, (50, vec!["BIG_ORDER".to_owned()]), "{big:?}");
    }
    for small in [number("99.99"), Datum::One(text("99")), Datum::One(text("a lot")), Datum::Many(vec![text("100")])] {
        assert_eq!(event("place_order", &total(small.clone()), &mut Usage::default()).0, 0, "{small:?}");
    }
    assert_eq!(event("place_order", &OpenData::new(), &mut Usage::default()).0, 0);
    assert_eq!(event("review", &total(number("100")), &mut Usage::default()).0, 5);
}

#[test]
fn an_order_with_electronics_earns_for_them_too() {
    let category = Datum::Many(vec![text("books"), text("electronics")]);
    let order = vec![("category".to_owned(), category), ("total_amount".to_owned(), number("250"))];
    let both = (70, vec!["BIG_ORDER".to_owned(), "ELECTRONICS".to_owned()]);
    assert_eq!(event("place_order", &order, &mut Usage::default()), both);
}

#[test]
fn a_review_pays_a_player_three_times() {
    let mut usage = Usage::default();
    let points: Vec<_> = (0..5).map(|_| event("review", &OpenData::new(), &mut usage).0).collect();
    assert_eq!(points, [5, 5, 5, 0, 0]);
    let demo = demo();
    let review = demo.rules().find(|rule| **rule.id() == *"REVIEW").expect("the campaign");
    assert_eq!(usage.used(&Counter::MemberUses.name(review.id())), 3);
    assert_eq!(usage.used("use#REVIEW"), 3);
}
