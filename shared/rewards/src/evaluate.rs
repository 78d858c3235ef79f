//! The engine: which rules pay how much.

use std::collections::{BTreeSet, HashMap};

use punchcard_models::{
    data::OpenData,
    ids::{AccountId, LoyaltyId},
    settings::UnitStatus,
    timestamp::Timestamp,
};

use crate::{
    award::{Award, Counter, Line, Spend, Verdict, Why},
    catalog::Catalog,
    reward::Reward,
    rule::{Kind, Rule, What},
};

/// What happened.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// What rules answer to.
    pub trigger: Trigger<'a>,
    /// Where it happened; events have no channel.
    pub channel: Option<&'a str>,
    /// The only unit whose offers count; every enabled unit's if there is none.
    pub business_unit: Option<&'a str>,
    /// When it happened.
    pub at: Timestamp,
    /// What is known of it.
    pub data: &'a OpenData,
}

/// What rules answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger<'a> {
    /// An activity's action: offers.
    Action(&'a str),
    /// A player event's name: campaigns.
    Event(&'a str),
}

/// By which ids targeted offers know a member. A correlation id is none of them, whatever it reads like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Member<'a> {
    /// The account, if a session named one.
    pub account: Option<&'a AccountId>,
    /// The account's loyalty id.
    pub loyalty: Option<&'a LoyaltyId>,
}

/// How high counters are, as far as known; the others are 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage(HashMap<String, u64>);

impl Usage {
    /// Sets the counter of a name that [`Counter::name`] gives. Other names do no harm.
    pub fn set(&mut self, name: impl Into<String>, used: u64) {
        self.0.insert(name.into(), used);
    }

    /// Adds what an award spends.
    pub fn add(&mut self, award: &Award<'_>) {
        for spend in award.spends() {
            let used = self.0.entry(spend.name()).or_default();
            *used = used.saturating_add(spend.amount);
        }
    }

    /// How high the counter of a name is.
    #[must_use]
    pub fn used(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Base points of one occurrence, by unit and points type.
type BasePoints<'c> = HashMap<(&'c str, &'c str), u64>;

impl Catalog {
    /// What the catalog pays a member for what happened, and why, given what limits were used before.
    ///
    /// Base offers pay first. A share is one of what they paid in its offer's own unit and points type. The order of
    /// the rules in the catalog doesn't matter.
    #[must_use]
    pub fn evaluate<'c>(&'c self, occurrence: &Occurrence<'_>, member: Member<'_>, usage: &Usage) -> Award<'c> {
        // In the order of their ids, whichever pay first.
        let rules: Vec<_> = self.rules_for(occurrence.trigger).collect();
        let mut trace = vec![None; rules.len()];
        let mut base = BasePoints::new();
        let mut spends = Vec::new();
        for base_offers in [true, false] {
            for (index, &rule) in rules.iter().enumerate().filter(|(_, rule)| rule.is_base() == base_offers) {
                let verdict = self
                    .counts(rule, occurrence, member)
                    .and_then(|()| due(rule, &base))
                    .and_then(|due| pay(rule, due, usage, &mut spends))
                    .unwrap_or_else(Verdict::Not);
                let line = Line { rule, verdict };
                if let What::Offer(offer) = &rule.what
                    && base_offers
                {
                    *base.entry(offer.book()).or_default() += line.points();
                }
                trace[index] = Some(line);
            }
        }
        Award { trace: trace.into_iter().flatten().collect(), spends }
    }

    /// Whether a rule counts here, limits aside.
    fn counts<'c>(&self, rule: &'c Rule, occurrence: &Occurrence<'_>, member: Member<'_>) -> Result<(), Why<'c>> {
        let check = |met: bool, why: Why<'c>| if met { Ok(()) } else { Err(why) };
        check(self.rewards_enabled(), Why::RewardsDisabled)?;
        if let What::Offer(offer) = &rule.what {
            let enabled = self.business_units().get(&offer.unit) == Some(&UnitStatus::Enabled);
            check(enabled, Why::UnitDisabled)?;
            check(occurrence.business_unit.is_none_or(|unit| unit == offer.unit), Why::OtherUnit)?;
            let among = |channels: &BTreeSet<String>| occurrence.channel.is_some_and(|here| channels.contains(here));
            check(offer.channels.as_ref().is_none_or(among), Why::OtherChannel)?;
            if let Kind::Targeted(_, audience) = &offer.kind {
                let by_account = member.account.is_some_and(|account| audience.accounts.contains(account));
                let by_loyalty = member.loyalty.is_some_and(|loyalty| audience.loyalty_ids.contains(loyalty));
                check(by_account || by_loyalty, Why::NotTargeted)?;
            }
        }
        check(rule.window.from.is_none_or(|from| from <= occurrence.at), Why::BeforeWindow)?;
        check(rule.window.until.is_none_or(|until| occurrence.at < until), Why::AfterWindow)?;
        match rule.conditions.iter().find(|condition| !condition.is_met_by(occurrence.data)) {
            Some(condition) => Err(Why::ConditionNotMet { field: &condition.field }),
            None => Ok(()),
        }
    }
}

/// What a rule would pay without limits: at least one point.
fn due<'c>(rule: &Rule, base: &BasePoints<'_>) -> Result<u64, Why<'c>> {
    let (offer, reward) = match &rule.what {
        What::Campaign(campaign) => return Ok(campaign.points),
        What::Offer(offer) => match &offer.kind {
            Kind::Base(points) => return Ok(*points),
            Kind::Bonus(reward) | Kind::Targeted(reward, _) => (offer, reward),
        },
    };
    let base = base.get(&offer.book()).copied().unwrap_or(0);
    match (reward.points(base), reward) {
        (points @ 1.., _) => Ok(points),
        (0, Reward::OfBase { .. }) if base == 0 => Err(Why::NoBasePoints),
        (0, _) => Err(Why::LessThanOnePoint),
    }
}

/// Pays what is due as far as the rule's limits allow. Each limit has something left, or nothing is paid or spent.
fn pay<'c>(rule: &'c Rule, due: u64, usage: &Usage, spends: &mut Vec<Spend<'c>>) -> Result<Verdict<'c>, Why<'c>> {
    let limits = [
        (Counter::MemberUses, rule.limits.uses_per_member, 1, Why::MemberUsesReached),
        (Counter::TotalUses, rule.limits.uses_in_total, 1, Why::TotalUsesReached),
        (Counter::MemberPoints, rule.limits.points_per_member, due, Why::MemberPointsReached),
    ];
    let mut points = due;
    let mut spent = Vec::new();
    for (counter, limit, wanted, reached) in limits {
        let Some(limit) = limit else { continue };
        let seen = usage.used(&counter.name(&rule.id));
        let left = limit.saturating_sub(seen);
        if left == 0 {
            return Err(reached);
        }
        let amount = wanted.min(left);
        if counter == Counter::MemberPoints {
            points = amount;
        }
        spent.push(Spend { rule: &rule.id, counter, amount, limit, seen, exact: amount < wanted });
    }
    spends.append(&mut spent);
    Ok(Verdict::Paid { points, due })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of unit U's offers says to two check-ins, one after the other.
    fn verdicts(offers: &str) -> [Vec<String>; 2] {
        let catalog = Catalog::from_json(&format!(r#"{{"businessUnits":{{"U":"enabled"}},"offers":[{offers}]}}"#))
            .unwrap_or_else(|faults| panic!("{:?}", faults.into_iter().collect::<Vec<_>>()));
        let data = OpenData::new();
        let trigger = Trigger::Action("APP_CHECKIN");
        let occurrence =
            Occurrence { trigger, channel: None, business_unit: None, at: Timestamp::from_millis(0), data: &data };
        let mut usage = Usage::default();
        [(); 2].map(|()| {
            let award = catalog.evaluate(&occurrence, Member::default(), &usage);
            usage.add(&award);
            let said = |line: &Line<'_>| match line.verdict {
                Verdict::Paid { points, due } => format!("{} {points}/{due}", line.rule.id()),
                Verdict::Not(why) => format!("{} {why:?}", line.rule.id()),
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
            "HALF_STATUS LessThanOnePoint",
            "NOTHING NoBasePoints",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_share_is_one_of_what_base_offers_paid_within_their_limits() {
        let offers = r#"{"id":"ALL","unit":"U","kind":"bonus","reward":{"percentage":100},"limits":{"usesInTotal":9}},
               {"id":"BASE","unit":"U","kind":"base","reward":{"flat":10},"limits":{"pointsPerMember":4}}"#;
        assert_eq!(verdicts(offers), [["ALL 4/4", "BASE 4/10"], ["ALL NoBasePoints", "BASE MemberPointsReached"]]);
    }

    #[test]
    fn a_reward_that_comes_to_nothing_uses_nothing() {
        let offers = r#"{"id":"BASE","unit":"U","kind":"base","reward":{"flat":1},"limits":{"usesPerMember":1}},
               {"id":"HALF","unit":"U","kind":"bonus","reward":{"percentage":50},"limits":{"usesPerMember":1}}"#;
        assert_eq!(
            verdicts(offers),
            [["BASE 1/1", "HALF LessThanOnePoint"], ["BASE MemberUsesReached", "HALF NoBasePoints"]]
        );
    }
}
