//! Rules: what is paid, for what, to whom, and how often.

use std::{
    borrow::Borrow,
    collections::{BTreeSet, HashSet},
    fmt,
    ops::Deref,
};

use punchcard_models::{
    fault::{FaultKind, Noted},
    ids::{self, AccountId, LoyaltyId},
    json::{At, Members},
    timestamp::Timestamp,
};

use crate::{
    condition::Condition,
    parse::{MAX_ITEMS, channel, known_name, name, one_of, only, positive, set, trimmed_id},
    reward::{Reward, points},
};

/// The highest limit of uses or points.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;

const DEFAULT_POINTS_TYPE: &str = "loyalty";

/// The id of an offer or campaign: 3 to 128 of `[A-Za-z0-9_]`, unique among both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(String);

impl RuleId {
    fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let text = at.string()?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = (3..=128).contains(&text.len()) && text.bytes().all(allowed);
        if fits { Ok(RuleId(text.to_owned())) } else { Err(at.invalid("must be 3 to 128 of A-Z a-z 0-9 _")) }
    }
}

impl Deref for RuleId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An offer or a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) id: RuleId,
    pub(crate) window: Window,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) limits: Limits,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Offer(Offer),
    Campaign(Campaign),
}

/// Rewards activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub unit: String,
    pub points_type: String,
    pub actions: Option<BTreeSet<String>>,
    pub channels: Option<BTreeSet<String>>,
    pub kind: Kind,
}

/// Rewards player events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Campaign {
    pub event: String,
    pub points: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So many points, which the other kinds' rewards may be a share of.
    Base(u64),
    Bonus(Reward),
    Targeted(Reward, Audience),
}

/// Whom a targeted offer is for. Not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    pub accounts: BTreeSet<AccountId>,
    pub loyalty_ids: BTreeSet<LoyaltyId>,
}

/// From when (inclusive) until when (exclusive) a rule counts. Begins before it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// How much a rule pays at most. None of them is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub uses_per_member: Option<u64>,
    pub uses_in_total: Option<u64>,
    pub points_per_member: Option<u64>,
}

/// The names met so far in a catalog that is being parsed.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub units: BTreeSet<String>,
    pub actions: BTreeSet<String>,
    pub rules: HashSet<RuleId>,
}

impl Rule {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &RuleId {
        &self.id
    }

    /// Whether it rewards player events; else it is an offer and rewards activities.
    #[must_use]
    pub fn is_campaign(&self) -> bool {
        matches!(self.what, What::Campaign(_))
    }

    /// Whether it is an offer whose points the others' rewards may be a share of.
    pub(crate) fn is_base(&self) -> bool {
        matches!(&self.what, What::Offer(Offer { kind: Kind::Base(_), .. }))
    }

    pub(crate) fn parse_offer(at: At<'_, '_>, known: &mut Known) -> Result<Self, Noted> {
        const MEMBERS: [&str; 12] = [
            "id",
            "unit",
            "kind",
            "actions",
            "channels",
            "accounts",
            "loyaltyIds",
            "window",
            "conditions",
            "reward",
            "pointsType",
            "limits",
        ];
        Rule::parse(at, &MEMBERS, known, |offer, known| Offer::parse(offer, known).map(What::Offer))
    }

    pub(crate) fn parse_campaign(at: At<'_, '_>, known: &mut Known) -> Result<Self, Noted> {
        const MEMBERS: [&str; 6] = ["id", "event", "window", "conditions", "points", "limits"];
        Rule::parse(at, &MEMBERS, known, |campaign, _| {
            let event = campaign.required("event", trimmed_id);
            let points = campaign.required("points", points);
            Ok(What::Campaign(Campaign { event: event?, points: points? }))
        })
    }

    /// Parses what offers and campaigns have in common; `what` parses the rest.
    fn parse(
        at: At<'_, '_>,
        members: &[&str],
        known: &mut Known,
        what: impl FnOnce(&Members<'_, '_>, &Known) -> Result<What, Noted>,
    ) -> Result<Self, Noted> {
        let rule = at.object()?;
        let only = only(&rule, members);
        let id = rule.required("id", |at| {
            let id = RuleId::parse(at)?;
            if !known.rules.insert(id.clone()) {
                return Err(at.fault(FaultKind::Repeated, "must not be the id of another offer or campaign"));
            }
            Ok(id)
        });
        let what = what(&rule, known);
        let window = rule.optional("window", Window::parse);
        let conditions = rule.optional("conditions", |at| at.items(0..=MAX_ITEMS, Condition::parse));
        let limits = rule.optional("limits", Limits::parse);
        only?;
        Ok(Rule {
            id: id?,
            window: window?.unwrap_or_default(),
            conditions: conditions?.unwrap_or_default(),
            limits: limits?.unwrap_or_default(),
            what: what?,
        })
    }
}

impl Offer {
    /// Where its points go: business unit and points type.
    pub fn book(&self) -> (&str, &str) {
        (&self.unit, &self.points_type)
    }

    fn parse(offer: &Members<'_, '_>, known: &Known) -> Result<Self, Noted> {
        let unit = offer.required("unit", |at| known_name(at, "a business unit", &known.units));
        let points_type = offer.optional("pointsType", name);
        let actions =
            offer.optional("actions", |at| set(at, 1, |action| known_name(action, "an action", &known.actions)));
        let channels = offer.optional("channels", |at| set(at, 1, channel));
        let kind = Kind::parse(offer);
        Ok(Offer {
            unit: unit?,
            points_type: points_type?.unwrap_or_else(|| DEFAULT_POINTS_TYPE.to_owned()),
            actions: actions?,
            channels: channels?,
            kind: kind?,
        })
    }
}

impl Kind {
    fn parse(offer: &Members<'_, '_>) -> Result<Self, Noted> {
        #[derive(Clone, Copy)]
        enum Word {
            Base,
            Bonus,
            Targeted,
        }
        let words = [("base", Word::Base), ("bonus", Word::Bonus), ("targeted", Word::Targeted)];
        let kind = offer.required("kind", |at| one_of(at, &words));
        let reward = offer.required("reward", Reward::parse);
        let audience = Audience::parse(offer);
        match kind? {
            Word::Base => {
                let nobody = Audience::none(offer);
                match reward? {
                    Reward::Flat(points) => nobody.map(|()| Kind::Base(points)),
                    Reward::OfBase { .. } => {
                        Err(offer.fault("reward", FaultKind::Invalid, "must be flat, as every base offer's"))
                    }
                }
            }
            Word::Bonus => {
                Audience::none(offer)?;
                reward.map(Kind::Bonus)
            }
            Word::Targeted => {
                let audience = audience?.ok_or_else(|| {
                    offer.at.fault(FaultKind::Missing, "must have accounts or loyaltyIds, as every targeted offer")
                });
                Ok(Kind::Targeted(reward?, audience?))
            }
        }
    }
}

impl Audience {
    fn parse(offer: &Members<'_, '_>) -> Result<Option<Self>, Noted> {
        let accounts = offer.optional("accounts", |at| set(at, 1, ids::parse_member::<AccountId>));
        let loyalty_ids = offer.optional("loyaltyIds", |at| set(at, 1, ids::parse_member::<LoyaltyId>));
        Ok(match (accounts?, loyalty_ids?) {
            (None, None) => None,
            (accounts, loyalty_ids) => {
                Some(Audience { accounts: accounts.unwrap_or_default(), loyalty_ids: loyalty_ids.unwrap_or_default() })
            }
        })
    }

    /// Notes an audience where there can't be one.
    fn none(offer: &Members<'_, '_>) -> Result<(), Noted> {
        let absent = |name| {
            offer.with(name, |given| match given {
                None => Ok(()),
                Some(at) => Err(at.invalid("can only be there in a targeted offer")),
            })
        };
        let (accounts, loyalty_ids) = (absent("accounts"), absent("loyaltyIds"));
        accounts.and(loyalty_ids)
    }
}

impl Window {
    fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let moment = |at: At<'_, '_>| {
            Timestamp::from_text(at.string()?)
                .ok_or_else(|| at.invalid("must be an RFC 3339 timestamp with an offset or Z"))
        };
        let window = at.object()?;
        let only = only(&window, &["from", "until"]);
        let (from, until) = (window.optional("from", moment), window.optional("until", moment));
        only?;
        let window = Window { from: from?, until: until? };
        match window.from.zip(window.until) {
            Some((from, until)) if from >= until => Err(at.invalid("must begin before it ends")),
            _ => Ok(window),
        }
    }
}

impl Limits {
    fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let limits = at.object()?;
        let only = only(&limits, &["usesPerMember", "usesInTotal", "pointsPerMember"]);
        let limit = |name| limits.optional(name, |at| positive(at, MAX_LIMIT));
        let (uses_per_member, uses_in_total, points_per_member) =
            (limit("usesPerMember"), limit("usesInTotal"), limit("pointsPerMember"));
        only?;
        Ok(Limits {
            uses_per_member: uses_per_member?,
            uses_in_total: uses_in_total?,
            points_per_member: points_per_member?,
        })
    }
}
