//! The evaluation: the points that each rule pays for an occurrence.

use std::collections::{BTreeSet, HashMap};

use crate::{
    award::{Award, Limit, Line, Reason, Verdict},
    catalog::Catalog,
    condition::Unmet,
    counter::{Counter, InPeriod, Spend, in_period},
    frequency::Frequency,
    limits::Cap,
    occurrence::{Member, Occurrence},
    offer::OfferKind,
    period::Period,
    reward::Reward,
    rule::{Rule, RuleBody},
    usage::{ShardChoice, Usage},
    zone::LocalTime,
};

/// The base points paid for one occurrence, by unit and points type.
type BasePoints<'c> = HashMap<(&'c str, &'c str), u64>;

impl Catalog {
    /// Evaluates the rules that an occurrence triggers for a member, given the current counters.
    ///
    /// Base offers pay first. Shares are computed from the points that base offers pay in the same unit and points
    /// type. The order of the rules in the catalog doesn't matter.
    #[must_use]
    pub fn evaluate<'c>(&'c self, occurrence: &Occurrence<'_>, member: Member<'_>, usage: &Usage) -> Award<'c> {
        // Base offers pay first, but the trace is ordered by rule id.
        let rules: Vec<_> = self.rules_for(occurrence.trigger).collect();
        let mut trace = vec![None; rules.len()];
        let mut evaluation = Evaluation::new(self, occurrence, member, usage);
        for base_offers in [true, false] {
            for (index, &rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_base() == base_offers) {
                trace[index] = Some(evaluation.judge(rule));
            }
        }
        Award { trace: trace.into_iter().flatten().collect(), ..evaluation.award }
    }
}

/// An evaluation that judges one rule after the other. Base offers must come before the shares of their points.
pub(crate) struct Evaluation<'c, 'i> {
    catalog: &'c Catalog,
    occurrence: &'i Occurrence<'i>,
    member: Member<'i>,
    usage: &'i Usage,
    /// The time of the occurrence in the catalog's zone.
    local: LocalTime,
    /// The arrival time in the catalog's zone.
    arrival: LocalTime,
    base: BasePoints<'c>,
    /// The award without its trace.
    award: Award<'c>,
}

impl<'c, 'i> Evaluation<'c, 'i> {
    pub fn new(catalog: &'c Catalog, occurrence: &'i Occurrence<'i>, member: Member<'i>, usage: &'i Usage) -> Self {
        let (base, award) = (BasePoints::new(), Award::default());
        let [local, arrival] = [occurrence.at, occurrence.received_at].map(|at| catalog.zone().local(at));
        Evaluation { catalog, occurrence, member, usage, local, arrival, base, award }
    }

    /// Returns the outcome for a rule.
    pub fn judge(&mut self, rule: &'c Rule) -> Line<'c> {
        let verdict = self
            .applies(rule)
            .and_then(|()| self.is_counted(rule))
            .and_then(|()| due(rule, &self.base))
            .and_then(|due| self.pay(rule, due))
            .unwrap_or_else(Verdict::NotPaid);
        self.count_first(rule);
        let line = Line { rule, verdict };
        if let RuleBody::Offer(offer) = &rule.body
            && rule.is_base()
        {
            *self.base.entry(offer.book()).or_default() += line.points();
        }
        line
    }

    /// Checks whether a rule applies, without regard to limits.
    fn applies(&self, rule: &'c Rule) -> Result<(), Reason<'c>> {
        let (occurrence, member) = (self.occurrence, self.member);
        let check = |met: bool, reason: Reason<'c>| if met { Ok(()) } else { Err(reason) };
        check(self.catalog.rewards_enabled(), Reason::RewardsDisabled)?;
        if let RuleBody::Offer(offer) = &rule.body {
            check(self.catalog.has_enabled(offer), Reason::UnitDisabled)?;
            check(occurrence.business_unit.is_none_or(|unit| unit == offer.unit), Reason::OtherUnit)?;
            let among = |channels: &BTreeSet<String>| occurrence.channel.is_some_and(|here| channels.contains(here));
            check(offer.channels.as_ref().is_none_or(among), Reason::OtherChannel)?;
            if let OfferKind::Targeted(_, audience) = &offer.kind {
                let by_account = member.account.is_some_and(|account| audience.accounts.contains(account));
                let by_loyalty = member.loyalty.is_some_and(|loyalty| audience.loyalty_ids.contains(loyalty));
                check(by_account || by_loyalty, Reason::NotTargeted)?;
            }
        }
        check(rule.window.from.is_none_or(|from| from <= occurrence.at), Reason::BeforeWindow)?;
        check(rule.window.until.is_none_or(|until| occurrence.at < until), Reason::AfterWindow)?;
        let mut conditions = rule.conditions.iter();
        match conditions.find_map(|condition| condition.unmet_by(occurrence.data, self.local)) {
            Some(unmet) => Err(Reason::ConditionNotMet(unmet)),
            None => Ok(()),
        }
    }

    /// Checks whether the rule pays for this one of the member's occurrences, and counts those to which it applies.
    fn is_counted(&mut self, rule: &'c Rule) -> Result<(), Reason<'c>> {
        match rule.frequency {
            None => Ok(()),
            Some(Frequency::First) if self.seen(&Counter::FirstTrigger.name(&rule.id)) == 0 => Ok(()),
            Some(Frequency::First) => Err(Reason::ConditionNotMet(Unmet::First)),
            Some(Frequency::Every(every)) => {
                let before = self.seen(&Counter::Occurrences.name(&rule.id));
                self.award.spends.push(one_exactly(rule, Counter::Occurrences, before));
                match (before % every) + 1 {
                    counted if counted == every => Ok(()),
                    counted => Err(Reason::ConditionNotMet(Unmet::Every { every, counted })),
                }
            }
        }
    }

    /// Counts the member's first occurrence with the rule's trigger, whether or not the rule applies to it.
    fn count_first(&mut self, rule: &'c Rule) {
        if rule.frequency == Some(Frequency::First)
            && self.catalog.rewards_enabled()
            && self.seen(&Counter::FirstTrigger.name(&rule.id)) == 0
        {
            self.award.spends.push(one_exactly(rule, Counter::FirstTrigger, 0));
        }
    }

    /// Returns a counter, which the award then depends on.
    fn seen(&mut self, name: &str) -> u64 {
        let seen = self.usage.used(name);
        if seen > 0 {
            self.award.assumed.insert(name.to_owned(), seen);
        }
        seen
    }

    /// Pays what is due, as far as the rule's limits permit. If any limit is exhausted, nothing is paid and no counter of a
    /// limit is increased.
    fn pay(&mut self, rule: &'c Rule, due: u64) -> Result<Verdict<'c>, Reason<'c>> {
        let mut spends = Vec::new();
        let mut points = due;
        for unit in rule.limits.iter().filter_map(|cap| cap.per) {
            let [period, open] = [self.local, self.arrival].map(|local| Period::of(unit, local));
            if period.number != open.number && period.number + 1 != open.number {
                return Err(Reason::PeriodClosed { period, due });
            }
        }
        for cap in rule.limits.iter() {
            let spend = self.spend(rule, cap, due)?;
            if cap.counter == Counter::MemberPoints {
                points = points.min(spend.limit - spend.seen);
            }
            spends.push(spend);
        }
        let mut reduced_by = None;
        for spend in spends.iter_mut().filter(|spend| spend.counter == Counter::MemberPoints) {
            spend.amount = points;
            // Less of what is left would pay less, and more would pay more.
            if points < due && spend.limit - spend.seen == points {
                spend.exact = true;
                let Spend { counter, period, limit, seen, .. } = *spend;
                reduced_by.get_or_insert(Limit { counter, period, limit, used: seen });
            }
        }
        self.award.spends.append(&mut spends);
        Ok(Verdict::Paid { points, due, reduced_by })
    }

    /// Returns the spend of one limit, if anything is left of it.
    fn spend(&mut self, rule: &'c Rule, Cap { counter, per, limit }: Cap, due: u64) -> Result<Spend<'c>, Reason<'c>> {
        let mut spend = Spend {
            rule: &rule.id,
            counter,
            period: None,
            shard: None,
            amount: 1,
            limit,
            seen: 0,
            exact: false,
            starts_period: false,
        };
        if let Some(unit) = per {
            let period = Period::of(unit, self.local);
            spend.period = Some(period);
            let slot = spend.attribute();
            match in_period(self.usage.used(&slot), period) {
                InPeriod::Unused => spend.starts_period = true,
                InPeriod::Used(used) => {
                    self.seen(&slot);
                    spend.seen = used;
                }
                InPeriod::Closed => {
                    self.seen(&slot);
                    return Err(Reason::PeriodClosed { period, due });
                }
            }
        } else if counter == Counter::TotalUses && !rule.shares.is_empty() {
            match self.usage.shard(&rule.id, &rule.shares) {
                ShardChoice::Open(shard) => {
                    spend.shard = Some(shard);
                    spend.limit = rule.shares.get(shard.index).copied().unwrap_or(0);
                    let stored = u64::try_from(shard.index + 1).unwrap_or(u64::MAX);
                    self.award.assumed.insert(Counter::shard_name(&rule.id), stored);
                    spend.seen = self.seen(&spend.name());
                }
                ShardChoice::Exhausted(used) => {
                    // Never 0, which would be as if the counter were unknown: a later evaluation has to find all shards
                    // exhausted, too.
                    self.award.assumed.insert(spend.name(), used.max(1));
                    let limit = Limit { counter, period: None, limit, used };
                    return Err(Reason::LimitReached { limit, due });
                }
            }
        } else {
            spend.seen = self.seen(&spend.name());
        }
        if spend.seen >= spend.limit {
            let limit = Limit { counter, period: spend.period, limit, used: spend.seen };
            return Err(Reason::LimitReached { limit, due });
        }
        Ok(spend)
    }
}

/// The spend of a counter without a limit, whose value decides what is paid.
fn one_exactly(rule: &Rule, counter: Counter, seen: u64) -> Spend<'_> {
    Spend {
        rule: &rule.id,
        counter,
        period: None,
        shard: None,
        amount: 1,
        limit: u64::MAX,
        seen,
        exact: true,
        starts_period: false,
    }
}

/// The points that an applicable rule pays without limits, at least one.
fn due<'c>(rule: &Rule, base: &BasePoints<'_>) -> Result<u64, Reason<'c>> {
    let (offer, reward) = match &rule.body {
        RuleBody::Campaign(campaign) => return Ok(campaign.points),
        RuleBody::Offer(offer) => match &offer.kind {
            OfferKind::Base(points) => return Ok(*points),
            OfferKind::Bonus(reward) | OfferKind::Targeted(reward, _) => (offer, reward),
        },
    };
    let base = base.get(&offer.book()).copied().unwrap_or(0);
    match (reward.points(base), reward) {
        (points @ 1.., _) => Ok(points),
        (0, Reward::OfBase { .. }) if base == 0 => Err(Reason::NoBasePoints),
        (0, _) => Err(Reason::LessThanOnePoint { base }),
    }
}

#[cfg(test)]
mod tests {
    use punchcard_models::{
        data::{Datum, OpenData, Scalar},
        ids::LoyaltyId,
        timestamp::Timestamp,
    };

    use super::*;
    use crate::rule::Trigger;

    const EPOCH: Timestamp = Timestamp::from_millis(0);

    fn name(reason: Reason<'_>) -> String {
        match reason {
            Reason::LimitReached { limit, .. } => format!("{:?} {} of {}", limit.counter, limit.used, limit.limit),
            other => format!("{other:?}"),
        }
    }

    /// The verdicts of unit U's offers on two check-ins, one after the other.
    fn verdicts(offers: &str) -> [Vec<String>; 2] {
        let catalog = Catalog::from_json(&format!(r#"{{"businessUnits":{{"U":"enabled"}},"offers":[{offers}]}}"#))
            .unwrap_or_else(|faults| panic!("{:?}", faults.into_iter().collect::<Vec<_>>()));
        let data = OpenData::new();
        let trigger = Trigger::Action("APP_CHECKIN");
        let occurrence =
            Occurrence { trigger, channel: None, business_unit: None, at: EPOCH, received_at: EPOCH, data: &data };
        let mut usage = Usage::default();
        [(); 2].map(|()| {
            let award = catalog.evaluate(&occurrence, Member::default(), &usage);
            usage.add(&award);
            let said = |line: &Line<'_>| match line.verdict {
                Verdict::Paid { points, due, .. } => format!("{} {points}/{due}", line.rule.id()),
                Verdict::NotPaid(reason) => format!("{} {}", line.rule.id(), name(reason)),
            };
            award.trace().iter().map(said).collect()
        })
    }

    #[test]
    fn a_share_is_one_of_the_same_points_type() {
        let [said, _] = verdicts(
            r#"{"id":"BASE","unit":"U","kind":"base","reward":{"flat":10}},
               {"id":"BASE_STATUS","unit":"U","kind":"base","reward":{"flat":1},"pointsType":"status"},
               {"id":"BONUS","unit":"U","kind":"bonus","reward":{"flat":1000}},
               {"id":"DOUBLE","unit":"U","kind":"bonus","reward":{"multiplier":2}},
               {"id":"DOUBLE_STATUS","unit":"U","kind":"bonus","reward":{"multiplier":2},"pointsType":"status"},
               {"id":"HALF_STATUS","unit":"U","kind":"bonus","reward":{"percentage":50},"pointsType":"status"},
               {"id":"NOTHING","unit":"U","kind":"bonus","reward":{"multiplier":2},"pointsType":"other"}"#,
        );
        let expected = [
            "BASE 10/10",
            "BASE_STATUS 1/1",
            "BONUS 1000/1000",
            "DOUBLE 10/10",
            "DOUBLE_STATUS 1/1",
            "HALF_STATUS LessThanOnePoint { base: 1 }",
            "NOTHING NoBasePoints",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_share_is_one_of_what_base_offers_paid_within_their_limits() {
        let offers = r#"{"id":"ALL","unit":"U","kind":"bonus","reward":{"percentage":100},"limits":{"usesInTotal":9}},
               {"id":"BASE","unit":"U","kind":"base","reward":{"flat":10},"limits":{"pointsPerMember":4}}"#;
        assert_eq!(verdicts(offers), [["ALL 4/4", "BASE 4/10"], ["ALL NoBasePoints", "BASE MemberPoints 4 of 4"]]);
    }

    #[test]
    fn a_reward_that_comes_to_nothing_uses_nothing() {
        let offers = r#"{"id":"BASE","unit":"U","kind":"base","reward":{"flat":1},"limits":{"usesPerMember":1}},
               {"id":"HALF","unit":"U","kind":"bonus","reward":{"percentage":50},"limits":{"usesPerMember":1}}"#;
        assert_eq!(
            verdicts(offers),
            [["BASE 1/1", "HALF LessThanOnePoint { base: 1 }"], ["BASE MemberUses 1 of 1", "HALF NoBasePoints"]]
        );
    }

    /// The outcome of a rule with every kind of limit, and the counters it increases, given the counters before.
    fn outcome(limits: &str, used: &[(&str, u64)]) -> (String, Vec<(String, u64, bool)>) {
        let catalog = Catalog::from_json(&format!(
            r#"{{"campaigns":[{{"id":"ONE","event":"e","points":5,"limits":{{{limits}}}}}]}}"#
        ))
        .unwrap_or_else(|faults| panic!("{:?}", faults.into_iter().collect::<Vec<_>>()));
        let (trigger, at, data) = (Trigger::Event("e"), Timestamp::from_millis(0), OpenData::new());
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        let mut usage = Usage::default();
        for (name, value) in used {
            usage.set(*name, *value);
        }
        let award = catalog.evaluate(&occurrence, Member::default(), &usage);
        let spends = award.spends().iter().map(|spend| (spend.name(), spend.amount, spend.exact)).collect();
        let verdict = match award.trace()[0].verdict {
            Verdict::Paid { points, due, .. } => format!("{points}/{due}"),
            Verdict::NotPaid(reason) => name(reason),
        };
        (verdict, spends)
    }

    #[test]
    fn a_rule_with_an_exhausted_limit_increases_none_of_its_counters() {
        let limits = r#""usesPerMember":3,"usesInTotal":4,"pointsPerMember":12"#;
        for (exhausted, reason) in [
            (("use#ONE", 3), "MemberUses 3 of 3"),
            (("cap#ONE", 4), "TotalUses 4 of 4"),
            (("sum#ONE", 12), "MemberPoints 12 of 12"),
            (("sum#ONE", 13), "MemberPoints 13 of 12"),
        ] {
            assert_eq!(outcome(limits, &[exhausted]), (reason.to_owned(), vec![]), "{exhausted:?}");
        }
    }

    #[test]
    fn the_reason_is_the_first_limit_in_the_order_of_the_list() {
        let limits = r#""usesPerMember":1,"usesInTotal":1,"pointsPerMember":1"#;
        let all = [("use#ONE", 1), ("cap#ONE", 1), ("sum#ONE", 1)];
        for (used, reason) in
            [(&all[..], "MemberUses 1 of 1"), (&all[1..], "TotalUses 1 of 1"), (&all[2..], "MemberPoints 1 of 1")]
        {
            assert_eq!(outcome(limits, used).0, reason);
        }
    }

    #[test]
    fn the_last_payment_within_a_points_limit_still_counts_as_one_use() {
        let limits = r#""usesPerMember":3,"usesInTotal":4,"pointsPerMember":12"#;
        let (verdict, spends) = outcome(limits, &[("use#ONE", 2), ("cap#ONE", 3), ("sum#ONE", 10)]);
        assert_eq!(verdict, "2/5");
        let spends: Vec<_> = spends.iter().map(|(name, amount, exact)| (name.as_str(), *amount, *exact)).collect();
        assert_eq!(spends, [("use#ONE", 1, false), ("cap#ONE", 1, false), ("sum#ONE", 2, true)]);
    }

    #[test]
    fn a_share_is_one_of_the_sum_of_all_base_offers() {
        let offers = r#"{"id":"BASE_1","unit":"U","kind":"base","reward":{"flat":10}},
               {"id":"BASE_2","unit":"U","kind":"base","reward":{"flat":3}},
               {"id":"DOUBLE","unit":"U","kind":"bonus","reward":{"multiplier":2}}"#;
        assert_eq!(verdicts(offers)[0], ["BASE_1 10/10", "BASE_2 3/3", "DOUBLE 13/13"]);
    }

    #[test]
    fn an_offer_for_a_channel_does_not_pay_without_a_channel() {
        let offers = r#"{"id":"APP_ONLY","unit":"U","kind":"base","reward":{"flat":10},"channels":["APP"]}"#;
        assert_eq!(verdicts(offers)[0], ["APP_ONLY OtherChannel"]);
    }

    #[test]
    fn a_targeted_offer_pays_members_by_their_loyalty_id() {
        let catalog = Catalog::from_json(
            r#"{"businessUnits":{"U":"enabled"},"offers":[
                {"id":"VIP","unit":"U","kind":"targeted","reward":{"flat":7},"accounts":["A-1"],"loyaltyIds":["L-1"]}]}"#,
        )
        .expect("a catalog");
        let (trigger, at, data) = (Trigger::Action("APP_CHECKIN"), Timestamp::from_millis(0), OpenData::new());
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        for (id, points) in [("L-1", 7), ("L-2", 0), ("A-1", 0)] {
            let loyalty = id.parse::<LoyaltyId>().expect("an id");
            let member = Member { account: None, loyalty: Some(&loyalty) };
            assert_eq!(catalog.evaluate(&occurrence, member, &Usage::default()).points(), points, "{id}");
        }
    }

    #[test]
    fn all_conditions_must_be_met_and_the_first_unmet_one_is_the_reason() {
        let catalog = Catalog::from_json(
            r#"{"campaigns":[{"id":"BOTH","event":"e","points":5,
                "conditions":[{"field":"x","eq":"1"},{"field":"y","eq":"1"}]}]}"#,
        )
        .expect("a catalog");
        for (fields, unmet) in [(&["x", "y"][..], None), (&["x"], Some("y")), (&["y"], Some("x")), (&[], Some("x"))] {
            let one = || Datum::One(Scalar::String("1".to_owned()));
            let data: OpenData = fields.iter().map(|name| ((*name).to_owned(), one())).collect();
            let (trigger, at) = (Trigger::Event("e"), Timestamp::from_millis(0));
            let occurrence =
                Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
            let award = catalog.evaluate(&occurrence, Member::default(), &Usage::default());
            let field = match award.trace()[0].verdict {
                Verdict::NotPaid(Reason::ConditionNotMet(Unmet::Field { field, .. })) => Some(field),
                Verdict::Paid { points: 5, due: 5, reduced_by: None } => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(field, unmet, "{fields:?}");
        }
    }

    #[test]
    fn an_award_follows_from_the_counters_that_it_assumed() {
        let catalog = Catalog::from_json(
            r#"{"businessUnits":{"U":"enabled"},"offers":[
                {"id":"BASE","unit":"U","kind":"base","reward":{"flat":10},"limits":{"pointsPerMember":25}},
                {"id":"ONCE","unit":"U","kind":"bonus","reward":{"flat":1},"limits":{"usesPerMember":1}},
                {"id":"TEN","unit":"U","kind":"bonus","reward":{"flat":2},"limits":{"usesInTotal":10}},
                {"id":"ELSEWHERE","unit":"U","kind":"bonus","reward":{"flat":2},"channels":["APP"],
                 "limits":{"usesInTotal":10}}]}"#,
        )
        .expect("a catalog");
        let (trigger, at, data) = (Trigger::Action("APP_CHECKIN"), Timestamp::from_millis(0), OpenData::new());
        let occurrence = Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
        let mut usage = Usage::default();
        for (name, used) in [("sum#BASE", 20), ("use#ONCE", 1), ("cap#TEN", 0), ("cap#ELSEWHERE", 3), ("pts#U", 7)] {
            usage.set(name, used);
        }
        let award = catalog.evaluate(&occurrence, Member::default(), &usage);
        let assumed: Vec<_> = award.assumed().iter().map(|(name, used)| (name.as_str(), *used)).collect();
        assert_eq!(assumed, [("sum#BASE", 20), ("use#ONCE", 1)]);
        let mut again = Usage::default();
        for (name, used) in award.assumed() {
            again.set(name, *used);
        }
        assert_eq!(catalog.evaluate(&occurrence, Member::default(), &again), award);
    }

    #[test]
    fn combined_awards_keep_all_spends_and_order_their_rules_by_id() {
        let catalog = Catalog::from_json(
            r#"{"campaigns":[
                {"id":"RULE_1","event":"b","points":1,"limits":{"usesPerMember":1}},
                {"id":"RULE_2","event":"a","points":2,"limits":{"usesInTotal":1}},
                {"id":"RULE_3","event":"b","points":4}]}"#,
        )
        .expect("a catalog");
        let (at, data) = (Timestamp::from_millis(0), OpenData::new());
        let award = ["a", "b"].map(|name| {
            let trigger = Trigger::Event(name);
            let occurrence =
                Occurrence { trigger, channel: None, business_unit: None, at, received_at: at, data: &data };
            catalog.evaluate(&occurrence, Member::default(), &Usage::default())
        });
        let award: Award<'_> = award.into_iter().collect();
        let ids: Vec<_> = award.trace().iter().map(|line| &**line.rule.id()).collect();
        assert_eq!((ids, award.points()), (vec!["RULE_1", "RULE_2", "RULE_3"], 7));
        let mut spends: Vec<_> = award.spends().iter().map(Spend::name).collect();
        spends.sort();
        assert_eq!(spends, ["cap#RULE_2", "use#RULE_1"]);
    }
}
