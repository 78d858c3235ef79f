//! The catalog: the settings and rules of a loyalty programme.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use punchcard_models::{
    fault::{Faults, Noted},
    json::At,
    settings::{ChannelMerging, NegativeBalances, UnitStatus},
};

use crate::{
    parse::{Known, MAX_ITEMS, NAME_RULE, channel, is_name, one_of, only, read, set, trimmed_id},
    rule::{Rule, RuleBody, Trigger},
};

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

    /// Parses a catalog and notes every fault, not just the first.
    ///
    /// # Errors
    /// The catalog has a fault. Unknown members are faults too: a typo must not change what is paid.
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        const MEMBERS: [&str; 9] = [
            "rewards",
            "defaultChannel",
            "channelMerging",
            "negativeBalances",
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
        let only = only(&root, &MEMBERS);
        let rewards_enabled = root.optional("rewards", |at| one_of(at, &[("enabled", true), ("disabled", false)]));
        let default_channel = root.optional("defaultChannel", channel);
        let channel_merging = root.optional("channelMerging", |at| one_of(at, &MERGING));
        let negative_balances = root.optional("negativeBalances", |at| one_of(at, &NEGATIVE));
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
        let rules = offers?.into_iter().chain(campaigns?).flatten().collect();
        Ok(Catalog {
            rewards_enabled: rewards_enabled?.unwrap_or(true),
            default_channel: default_channel?,
            channel_merging: channel_merging?.unwrap_or(ChannelMerging::None),
            negative_balances: negative_balances?.unwrap_or(NegativeBalances::Allowed),
            sections: sections?.unwrap_or_default().into_iter().collect(),
            business_units: business_units?.unwrap_or_default(),
            rules: Rules::new(rules, &known.actions),
            actions: known.actions,
        })
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
    pub(crate) fn rules_for(&self, trigger: Trigger<'_>) -> impl Iterator<Item = &Rule> {
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
