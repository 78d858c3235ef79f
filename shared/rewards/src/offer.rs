//! Offers, which reward activities.

use std::collections::BTreeSet;

use punchcard_models::{
    fault::{FaultKind, Noted},
    ids::{self, AccountId, LoyaltyId},
    json::Members,
};

use crate::{
    parse::{Known, channel, known_name, name, one_of, set},
    reward::Reward,
};

const DEFAULT_POINTS_TYPE: &str = "loyalty";

/// The part of a rule that only offers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub unit: String,
    pub points_type: String,
    /// `None`: any action.
    pub actions: Option<BTreeSet<String>>,
    /// `None`: any channel.
    pub channels: Option<BTreeSet<String>>,
    pub kind: OfferKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfferKind {
    /// A fixed number of points. The rewards of the other kinds may be a share of them.
    Base(u64),
    Bonus(Reward),
    Targeted(Reward, Audience),
}

/// The members for whom a targeted offer is meant. Not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    pub accounts: BTreeSet<AccountId>,
    pub loyalty_ids: BTreeSet<LoyaltyId>,
}

impl Offer {
    /// The balance that receives the offer's points: business unit and points type.
    pub fn book(&self) -> (&str, &str) {
        (&self.unit, &self.points_type)
    }

    pub fn parse(offer: &Members<'_, '_>, known: &Known) -> Result<Self, Noted> {
        let unit = offer.required("unit", |at| known_name(at, "business units", &known.units));
        let points_type = offer.optional("pointsType", name);
        let actions =
            offer.optional("actions", |at| set(at, 1, |action| known_name(action, "actions", &known.actions)));
        let channels = offer.optional("channels", |at| set(at, 1, channel));
        let kind = OfferKind::parse(offer);
        Ok(Offer {
            unit: unit?,
            points_type: points_type?.unwrap_or_else(|| DEFAULT_POINTS_TYPE.to_owned()),
            actions: actions?,
            channels: channels?,
            kind: kind?,
        })
    }
}

impl OfferKind {
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
                let untargeted = Audience::none(offer);
                match reward? {
                    Reward::Flat(points) => untargeted.map(|()| OfferKind::Base(points)),
                    Reward::OfBase { .. } => {
                        Err(offer.fault("reward", FaultKind::Invalid, "must be flat in a base offer"))
                    }
                }
            }
            Word::Bonus => {
                Audience::none(offer)?;
                reward.map(OfferKind::Bonus)
            }
            Word::Targeted => {
                let audience = audience?.ok_or_else(|| {
                    offer.at.fault(FaultKind::Missing, "must have accounts or loyaltyIds, because it is targeted")
                });
                Ok(OfferKind::Targeted(reward?, audience?))
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

    /// Notes an audience where none is allowed.
    fn none(offer: &Members<'_, '_>) -> Result<(), Noted> {
        let absent = |name| {
            offer.with(name, |given| match given {
                None => Ok(()),
                Some(at) => Err(at.invalid("is only allowed in a targeted offer")),
            })
        };
        let (accounts, loyalty_ids) = (absent("accounts"), absent("loyaltyIds"));
        accounts.and(loyalty_ids)
    }
}
