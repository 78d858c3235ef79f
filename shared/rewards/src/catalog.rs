//! The catalog: the settings and rules of a loyalty programme.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use punchcard_models::{
    fault::{Faults, Noted},
    json::At,
    settings::{ChannelMerging, NegativeBalances, UnitStatus},
    timestamp::Timestamp,
};

use crate::{
    applied::{APPLIED, Applied},
    budget::Budget,
    parse::{Known, MAX_ITEMS, NAME_RULE, channel, is_name, one_of, only_or, read, set, trimmed_id},
    period::{Period, PeriodUnit},
    rule::{Rule, RuleBody, Trigger},
    zone::Zone,
};

/// The time zone of a catalog that names none.
const UTC: &str = "UTC";

/// The actions that every catalog has.
pub const BUILT_IN_ACTIONS: [&str; 3] = ["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"];

/// The settings and rules of a loyalty programme.
///
/// A catalog is always consistent: every name that a rule refers to is defined, every window starts before it ends, and
/// rule ids are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    rewards_enabled: bool,
    default_channel: Option<String>,
    channel_merging: ChannelMerging,
    negative_balances: NegativeBalances,
    timezone: String,
    zone: Zone,
    budget: Budget,
    sections: HashSet<String>,
    actions: BTreeSet<String>,
    business_units: BTreeMap<String, UnitStatus>,
    rules: Rules,
}

/// The rules, ordered by id, with an index by trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rules {
    all: Vec<Rule>,
    by_action: HashMap<String, Vec<usize>>,
    by_event: HashMap<String, Vec<usize>>,
}

/// The catalog of a new store: the built-in actions, rewards enabled, no merging, no rules.
impl Default for Catalog {
    fn default() -> Self {
        Catalog {
            rewards_enabled: true,
            default_channel: None,
            channel_merging: ChannelMerging::None,
            negative_balances: NegativeBalances::Allowed,
            timezone: UTC.to_owned(),
            zone: Zone::utc(),
            budget: Budget::default(),
            sections: HashSet::new(),
            actions: BUILT_IN_ACTIONS.map(str::to_owned).into(),
            business_units: BTreeMap::new(),
            rules: Rules::default(),
        }
    }
}

impl Catalog {
    /// Reads a catalog from its stored form.
    ///
    /// # Errors
    /// All faults in the text.
    pub fn from_json(text: &str) -> Result<Self, Faults> {
        read(text, Catalog::parse)
    }

    /// Parses the stored form of a catalog.
    ///
    /// # Errors
    /// The catalog has a fault, or what was added when it was applied does not fit it.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let applied = at.object()?.optional(APPLIED, Applied::parse)?.unwrap_or_default();
        let zone = applied.zone;
        let mut catalog = Catalog::parse_source(at, &[APPLIED], |_| zone)?;
        for rule in &mut catalog.rules.all {
            let limit = rule.limits.uses_in_total();
            let shares = applied.shares.get(&*rule.id).filter(|shares| limit.is_some() && shares.len() > 1);
            rule.shares = shares.cloned().unwrap_or_default();
            if !rule.shares.is_empty() && Some(rule.shares.iter().sum()) != limit {
                return Err(at.invalid("must have shares that add up to the total limit"));
            }
        }
        Ok(catalog)
    }

    /// Parses a catalog and notes every fault, not just the first. `others` are members that are not read here, and `zone`
    /// finds a time zone other than UTC by its name.
    ///
    /// # Errors
    /// The catalog has a fault. Unknown members are faults too: a typo must not change what is paid.
    pub(crate) fn parse_source(
        at: At<'_, '_>,
        others: &[&str],
        zone: impl FnOnce(&str) -> Option<Zone>,
    ) -> Result<Self, Noted> {
        const MEMBERS: [&str; 11] = [
            "rewards",
            "defaultChannel",
            "channelMerging",
            "negativeBalances",
            "timezone",
            "budget",
            "sections",
            "actions",
            "businessUnits",
            "offers",
            "campaigns",
        ];
        const MERGING: [(&str, ChannelMerging); 3] =
            [("none", ChannelMerging::None), ("mobile", ChannelMerging::Mobile), ("email", ChannelMerging::Email)];
        const NEGATIVE: [(&str, NegativeBalances); 2] =
            [("allowed", NegativeBalances::Allowed), ("refused", NegativeBalances::Refused)];
        let mut known = Known { actions: BUILT_IN_ACTIONS.map(str::to_owned).into(), ..Known::default() };
        let root = at.object()?;
        let only = only_or(&root, &MEMBERS, others);
        let rewards_enabled = root.optional("rewards", |at| one_of(at, &[("enabled", true), ("disabled", false)]));
        let default_channel = root.optional("defaultChannel", channel);
        let channel_merging = root.optional("channelMerging", |at| one_of(at, &MERGING));
        let negative_balances = root.optional("negativeBalances", |at| one_of(at, &NEGATIVE));
        let zone = root.optional("timezone", |at| match at.string()? {
            UTC => Ok((UTC.to_owned(), Zone::utc())),
            name => zone(name)
                .map(|zone| (name.to_owned(), zone))
                .ok_or_else(|| at.invalid("must be the name of a time zone, such as UTC or Europe/Berlin")),
        });
        let budget = root.optional("budget", Budget::parse);
        let sections = root.optional("sections", |at| set(at, 0, trimmed_id));
        let actions = root.optional("actions", |at| {
            set(at, 0, |action| {
                let name = trimmed_id(action)?;
                known.actions.insert(name.clone());
                Ok(name)
            })
        });
        let business_units = root.optional("businessUnits", |at| parse_units(at, &mut known));
        let offers =
            root.optional("offers", |at| at.items(0..=MAX_ITEMS, |offer| Rule::parse_offer(offer, &mut known)));
        let campaigns = root
            .optional("campaigns", |at| at.items(0..=MAX_ITEMS, |campaign| Rule::parse_campaign(campaign, &mut known)));
        only?;
        actions?;
        let (timezone, zone) = zone?.unwrap_or_else(|| (UTC.to_owned(), Zone::utc()));
        let rules = offers?.into_iter().chain(campaigns?).flatten().collect();
        Ok(Catalog {
            rewards_enabled: rewards_enabled?.unwrap_or(true),
            default_channel: default_channel?,
            channel_merging: channel_merging?.unwrap_or(ChannelMerging::None),
            negative_balances: negative_balances?.unwrap_or(NegativeBalances::Allowed),
            timezone,
            zone,
            budget: budget?.unwrap_or_default(),
            sections: sections?.unwrap_or_default().into_iter().collect(),
            business_units: business_units?.unwrap_or_default(),
            rules: Rules::new(rules, &known.actions),
            actions: known.actions,
        })
    }

    /// The same catalog as it was before it was applied: without the shares of its total limits.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn without_shares(&self) -> Self {
        let rules = self.rules().cloned().map(|rule| Rule { shares: Vec::new(), ..rule }).collect();
        Catalog { rules: Rules::new(rules, &self.actions), ..self.clone() }
    }

    /// True if both catalogs have the same time zone with the same offsets.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn has_zone_of(&self, other: &Catalog) -> bool {
        self.timezone == other.timezone && self.zone == other.zone
    }

    /// The same catalog with only those rules that `keep` accepts.
    #[cfg(feature = "yaml")]
    pub(crate) fn with_rules(&self, keep: impl Fn(&Rule) -> bool) -> Self {
        let rules = self.rules().filter(|rule| keep(rule)).cloned().collect();
        Catalog { rules: Rules::new(rules, &self.actions), ..self.clone() }
    }

    /// True if rules pay at all.
    #[must_use]
    pub fn rewards_enabled(&self) -> bool {
        self.rewards_enabled
    }

    /// The channel of activities that don't name one.
    #[must_use]
    pub fn default_channel(&self) -> Option<&str> {
        self.default_channel.as_deref()
    }

    /// The address by which players are recognised as one customer.
    #[must_use]
    pub fn channel_merging(&self) -> ChannelMerging {
        self.channel_merging
    }

    /// True if a correction may make a balance negative.
    #[must_use]
    pub fn negative_balances(&self) -> NegativeBalances {
        self.negative_balances
    }

    /// The time zone of periods and of times of day: an IANA name.
    #[must_use]
    pub fn timezone(&self) -> &str {
        &self.timezone
    }

    /// The period in which a time lies.
    #[must_use]
    pub fn period_of(&self, unit: PeriodUnit, at: Timestamp) -> Period {
        Period::of(unit, self.zone.local(at))
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The most points that the catalog may be able to pay.
    #[cfg(feature = "yaml")]
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The sections that the catalog adds to the built-in ones.
    #[must_use]
    pub fn sections(&self) -> &HashSet<String> {
        &self.sections
    }

    /// All actions, including the built-in ones.
    #[must_use]
    pub fn actions(&self) -> &BTreeSet<String> {
        &self.actions
    }

    /// All business units with their status.
    #[must_use]
    pub fn business_units(&self) -> &BTreeMap<String, UnitStatus> {
        &self.business_units
    }

    /// Offers and campaigns, ordered by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.all.iter()
    }

    /// The rules that a trigger selects, ordered by id.
    pub fn rules_for(&self, trigger: Trigger<'_>) -> impl Iterator<Item = &Rule> {
        let found = match trigger {
            Trigger::Action(name) => self.rules.by_action.get(name),
            Trigger::Event(name) => self.rules.by_event.get(name),
        };
        found.into_iter().flatten().map(|&index| &self.rules.all[index])
    }
}

impl Rules {
    fn new(mut all: Vec<Rule>, actions: &BTreeSet<String>) -> Self {
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let (mut by_action, mut by_event) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (index, rule) in all.iter().enumerate() {
            match &rule.body {
                RuleBody::Offer(offer) => {
                    for action in offer.actions.as_ref().unwrap_or(actions) {
                        by_action.entry(action.clone()).or_default().push(index);
                    }
                }
                RuleBody::Campaign(campaign) => by_event.entry(campaign.event.clone()).or_default().push(index),
            }
        }
        Rules { all, by_action, by_event }
    }
}

fn parse_units(at: At<'_, '_>, known: &mut Known) -> Result<BTreeMap<String, UnitStatus>, Noted> {
    const STATUS: [(&str, UnitStatus); 2] = [("enabled", UnitStatus::Enabled), ("disabled", UnitStatus::Disabled)];
    let units = at.object()?.each(|name, at| {
        // Defined even if it is faulty, so that its offers are not reported as well.
        known.units.insert(name.to_owned());
        let status = one_of(at, &STATUS);
        if !is_name(name) {
            return Err(at.invalid(NAME_RULE));
        }
        Ok((name.to_owned(), status?))
    })?;
    Ok(units.into_iter().collect())
}
