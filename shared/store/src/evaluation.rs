//! The stored input of an evaluation, from which the award of a record can be derived again.
//!
//! Records hold the version of the catalog and the counters that were not 0. Together with the request they determine
//! the award, so it need not be stored by rule. Both are absent in records of version 0.1.0, whose awards cannot be
//! derived.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard_models::{
    data::OpenData,
    ids::{AccountId, LoyaltyId},
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Catalog, Explanation, Member, Occurrence, Trigger, Usage};

use crate::{
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, n},
};

const DERIVE: &str = "derive an award";
const CATALOG_VERSION: &str = "catalogVersion";
const COUNTERS: &str = "counters";

/// Everything that determined the awards of a record, except the catalog.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The catalog and the counters.
    pub basis: Basis,
    /// The account that the member is, if it is one.
    pub account: Option<AccountId>,
    /// The account's loyalty id.
    pub loyalty_id: Option<LoyaltyId>,
    /// The evaluated activity or events. Empty if the record earns nothing whatever the catalog.
    pub occurrences: Vec<StoredOccurrence>,
}

/// The catalog version and the counters that an evaluation used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The version of the catalog. 0 if none was applied.
    pub catalog_version: u64,
    /// The counters that the evaluation assumed.
    pub usage: Usage,
}

/// A stored activity, or one stored event of a player.
#[derive(Debug, Clone)]
pub struct StoredOccurrence {
    /// The action or the name of the event.
    pub trigger: StoredTrigger,
    /// The activity's channel.
    pub channel: Option<String>,
    /// The activity's business unit.
    pub business_unit: Option<String>,
    /// The time to which windows and periods apply.
    pub at: Timestamp,
    /// The arrival time.
    pub received_at: Timestamp,
    /// The fields to which conditions apply.
    pub data: OpenData,
}

/// An owned [`Trigger`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredTrigger {
    /// The action of an activity.
    Action(String),
    /// The name of a player event.
    Event(String),
}

impl Evaluation {
    /// Evaluates the occurrences again, with the catalog of the record's version. Returns one award for each.
    #[must_use]
    pub fn awards<'c>(&self, catalog: &'c Catalog) -> Vec<Award<'c>> {
        let award = |occurrence: &StoredOccurrence| {
            catalog.evaluate(&occurrence.as_occurrence(), self.member(), &self.basis.usage)
        };
        self.occurrences.iter().map(award).collect()
    }

    /// Explains the awards again, with the catalog of the record's version. Returns one list for each occurrence.
    #[must_use]
    pub fn explanations<'a>(&'a self, catalog: &'a Catalog) -> Vec<Vec<Explanation<'a>>> {
        let explain = |occurrence: &'a StoredOccurrence| {
            catalog.explain(&occurrence.as_occurrence(), self.member(), &self.basis.usage)
        };
        self.occurrences.iter().map(explain).collect()
    }

    /// Reads the catalog of the record's version.
    ///
    /// # Errors
    /// The store call failed, or the version is missing or damaged.
    pub async fn catalog(&self, history: &HistoryReader) -> Result<Arc<Catalog>, StoreError> {
        let catalog = history.of(self.basis.catalog_version).await?;
        catalog.ok_or(StoreError::corrupt(DERIVE, "a missing version of the catalog"))
    }

    /// The member as offers target it.
    #[must_use]
    pub fn member(&self) -> Member<'_> {
        Member { account: self.account.as_ref(), loyalty: self.loyalty_id.as_ref() }
    }
}

impl StoredOccurrence {
    /// The action or the name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.trigger {
            StoredTrigger::Action(name) | StoredTrigger::Event(name) => name,
        }
    }

    /// The occurrence as it is evaluated.
    #[must_use]
    pub fn as_occurrence(&self) -> Occurrence<'_> {
        Occurrence {
            trigger: match &self.trigger {
                StoredTrigger::Action(action) => Trigger::Action(action),
                StoredTrigger::Event(name) => Trigger::Event(name),
            },
            channel: self.channel.as_deref(),
            business_unit: self.business_unit.as_deref(),
            at: self.at,
            received_at: self.received_at,
            data: &self.data,
        }
    }
}

impl Basis {
    /// Reads the basis of a record, which records of version 0.1.0 don't have.
    ///
    /// # Errors
    /// The basis cannot be read.
    pub(crate) fn read(item: &Item) -> Result<Option<Self>, StoreError> {
        if !item.contains_key(CATALOG_VERSION) {
            return Ok(None);
        }
        let read = || {
            let catalog_version = item.number(CATALOG_VERSION)?;
            let mut usage = Usage::default();
            if let Some(counters) = item.get(COUNTERS) {
                for (counter, used) in counters.as_m().ok()? {
                    usage.set(counter, used.as_n().ok()?.parse().ok()?);
                }
            }
            Some(Basis { catalog_version, usage })
        };
        read().map(Some).ok_or(StoreError::corrupt(DERIVE, "the basis of an award"))
    }
}

/// The attributes from which an award can be derived again.
pub(crate) fn attributes(catalog_version: u64, award: &Award<'_>) -> Item {
    let mut attributes = Item::from([(CATALOG_VERSION.into(), n(catalog_version))]);
    if !award.assumed().is_empty() {
        let counters = award.assumed().iter().map(|(name, used)| (name.clone(), n(used)));
        attributes.insert(COUNTERS.into(), AttributeValue::M(counters.collect()));
    }
    attributes
}
