//! Rules: offers and campaigns, and the fields that both have.

use punchcard_models::{
    fault::{FaultKind, Noted},
    ids::{AccountId, LoyaltyId},
    json::{At, Members},
    timestamp::Timestamp,
};

use crate::{
    condition::Condition,
    counter::Counter,
    frequency::Frequency,
    limits::{Cap, Limits},
    offer::{Audience, Offer, OfferKind},
    parse::{Known, MAX_ITEMS, only, trimmed_id},
    reward::points,
    rule_id::RuleId,
    window::Window,
};

/// An offer or a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) window: Window,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) frequency: Option<Frequency>,
    pub(crate) limits: Limits,
    /// The shares of the total limit, if it has more than one shard.
    pub(crate) shares: Vec<u64>,
    pub(crate) body: RuleBody,
}

/// The fields in which offers and campaigns differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleBody {
    Offer(Offer),
    Campaign(Campaign),
}

/// The part of a rule that only campaigns have, which reward player events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Campaign {
    pub event: String,
    pub points: u64,
}

/// The name by which rules are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger<'a> {
    /// The action of an activity selects offers.
    Action(&'a str),
    /// The name of a player event selects campaigns.
    Event(&'a str),
}

impl Rule {
    /// The business unit of an offer. Campaigns have none.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        match &self.body {
            RuleBody::Offer(offer) => Some(offer.book().0),
            RuleBody::Campaign(_) => None,
        }
    }

    /// The rule's id.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.id
    }

    /// Returns true for a campaign, which rewards player events, and false for an offer, which rewards activities.
    #[must_use]
    pub fn is_campaign(&self) -> bool {
        matches!(self.body, RuleBody::Campaign(_))
    }

    /// The points that a campaign pays for each event. `None` for an offer.
    #[must_use]
    pub fn campaign_points(&self) -> Option<u64> {
        match &self.body {
            RuleBody::Campaign(campaign) => Some(campaign.points),
            RuleBody::Offer(_) => None,
        }
    }

    /// The time from which the rule is not active any more.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.window.until
    }

    /// Returns true for a rule with a limit that all members share.
    #[must_use]
    pub fn has_total_limit(&self) -> bool {
        self.limits.uses_in_total().is_some()
    }

    /// Returns the names of the items that count the uses of the rule by all members: one for each shard. Empty if they
    /// are not limited.
    #[must_use]
    pub fn total_names(&self) -> Vec<String> {
        match (self.limits.uses_in_total(), self.shares.len()) {
            (None, _) => Vec::new(),
            (Some(_), 0) => vec![Counter::TotalUses.name(&self.id)],
            (Some(_), shards) => (0..shards).map(|index| Counter::TotalUses.name_of_shard(&self.id, index)).collect(),
        }
    }

    /// Returns the number of times that the rule may pay all members together.
    #[must_use]
    pub fn total_limit(&self) -> Option<u64> {
        self.limits.uses_in_total()
    }

    /// The rule's limits: uses per member, uses in total, points per member; each for ever before each period.
    pub fn caps(&self) -> impl Iterator<Item = Cap> {
        self.limits.iter()
    }

    /// Returns true for an offer that names this account among those it is meant for.
    #[must_use]
    pub fn names_account(&self, id: &AccountId) -> bool {
        self.audience().is_some_and(|audience| audience.accounts.contains(id))
    }

    /// Returns true for an offer that names this loyalty id among those it is meant for.
    #[must_use]
    pub fn names_loyalty_id(&self, id: &LoyaltyId) -> bool {
        self.audience().is_some_and(|audience| audience.loyalty_ids.contains(id))
    }

    fn audience(&self) -> Option<&Audience> {
        match &self.offer()?.kind {
            OfferKind::Targeted(_, audience) => Some(audience),
            OfferKind::Base(_) | OfferKind::Bonus(_) => None,
        }
    }

    /// Returns true for a base offer. Base offers pay before all other rules.
    pub(crate) fn is_base(&self) -> bool {
        matches!(&self.body, RuleBody::Offer(Offer { kind: OfferKind::Base(_), .. }))
    }

    pub(crate) fn offer(&self) -> Option<&Offer> {
        match &self.body {
            RuleBody::Offer(offer) => Some(offer),
            RuleBody::Campaign(_) => None,
        }
    }

    /// Returns true unless the rule is an offer limited to other channels.
    pub(crate) fn has_channel(&self, channel: &str) -> bool {
        self.offer().and_then(|offer| offer.channels.as_ref()).is_none_or(|channels| channels.contains(channel))
    }

    pub(crate) fn parse_offer(at: At<'_, '_>, known: &mut Known) -> Result<Self, Noted> {
        const MEMBERS: [&str; 14] = [
            "id",
            "unit",
            "kind",
            "actions",
            "channels",
            "accounts",
            "loyaltyIds",
            "window",
            "conditions",
            "first",
            "every",
            "reward",
            "pointsType",
            "limits",
        ];
        Rule::parse(at, &MEMBERS, known, |offer, known| Offer::parse(offer, known).map(RuleBody::Offer))
    }

    pub(crate) fn parse_campaign(at: At<'_, '_>, known: &mut Known) -> Result<Self, Noted> {
        const MEMBERS: [&str; 8] = ["id", "event", "window", "conditions", "first", "every", "points", "limits"];
        Rule::parse(at, &MEMBERS, known, |campaign, _| {
            let event = campaign.required("event", trimmed_id);
            let points = campaign.required("points", points);
            Ok(RuleBody::Campaign(Campaign { event: event?, points: points? }))
        })
    }

    /// Parses the fields that offers and campaigns share, and the rest with `body`.
    fn parse(
        at: At<'_, '_>,
        members: &[&str],
        known: &mut Known,
        body: impl FnOnce(&Members<'_, '_>, &Known) -> Result<RuleBody, Noted>,
    ) -> Result<Self, Noted> {
        let rule = at.object()?;
        let only = only(&rule, members);
        let id = rule.required("id", |at| {
            let id = RuleId::parse(at)?;
            if !known.rules.insert(id.clone()) {
                return Err(at.fault(FaultKind::Repeated, "must be unique among offers and campaigns"));
            }
            Ok(id)
        });
        let body = body(&rule, known);
        let window = rule.optional("window", Window::parse);
        let conditions = rule.optional("conditions", |at| at.items(0..=MAX_ITEMS, Condition::parse));
        let frequency = Frequency::parse(&rule);
        let limits = rule.optional("limits", Limits::parse);
        only?;
        Ok(Rule {
            id: id?,
            window: window?.unwrap_or_default(),
            conditions: conditions?.unwrap_or_default(),
            frequency: frequency?,
            limits: limits?.unwrap_or_default(),
            shares: Vec::new(),
            body: body?,
        })
    }
}
