//! The rewards engine: a [`Catalog`] of rules, and [`Catalog::evaluate`], which computes the points that they pay for
//! an activity or player event, with the reasons. [`Catalog::explain`] gives the same award in words, with the smallest
//! change that would have paid beside each rule that paid nothing.
//!
//! The crate is pure: no clock, no I/O, and no dependency on AWS or HTTP, so a stored award can be recomputed at any
//! time from the same input.
//!
//! Offers reward activities and campaigns reward player events. Both are rules, with the same windows, conditions and
//! limits. `demo.yaml` documents the format of catalogs.
//!
//! ```
//! use punchcard_models::{data::OpenData, timestamp::Timestamp};
//! use punchcard_rewards::{Catalog, Member, Occurrence, Trigger, Usage};
//!
//! let catalog = Catalog::from_json(
//!     r#"{
//!         "businessUnits": {"XYZ": "enabled"},
//!         "offers": [
//!             {"id": "XYZ_BASE", "unit": "XYZ", "kind": "base", "reward": {"flat": 10}},
//!             {"id": "XYZ_TWICE", "unit": "XYZ", "kind": "bonus", "reward": {"multiplier": 2}, "limits": {"usesPerMember": 1}}
//!         ]
//!     }"#,
//! )
//! .expect("a valid catalog");
//!
//! let checkin = Occurrence {
//!     trigger: Trigger::Action("APP_CHECKIN"),
//!     channel: Some("APP"),
//!     business_unit: None,
//!     at: Timestamp::from_text("2026-06-01T12:00:00Z").expect("a timestamp"),
//!     received_at: Timestamp::from_text("2026-06-01T12:00:01Z").expect("a timestamp"),
//!     data: &OpenData::new(),
//! };
//! let mut usage = Usage::default();
//! let award = catalog.evaluate(&checkin, Member::default(), &usage);
//! assert_eq!(award.earned_json(), r#"{"XYZ":{"loyalty":{"base":10,"bonus":10,"targeted":0,"total":20}}}"#);
//!
//! // The second time, the bonus has reached its limit.
//! usage.add(&award);
//! assert_eq!(catalog.evaluate(&checkin, Member::default(), &usage).points(), 10);
//! ```

mod applied;
mod award;
#[cfg(feature = "yaml")]
pub mod bounds;
mod budget;
mod catalog;
mod condition;
mod counter;
mod evaluate;
mod explain;
mod frequency;
mod limits;
mod occurrence;
mod offer;
mod parse;
mod period;
mod reward;
mod rule;
mod rule_id;
mod schedule;
mod shares;
mod usage;
mod window;
#[cfg(feature = "yaml")]
pub mod yaml;
mod zone;

pub use award::{Award, Earned, Limit, Line, Reason, Verdict};
pub use budget::Spans;
pub use catalog::{BUILT_IN_ACTIONS, Catalog};
pub use condition::{Alternatives, Test, Unmet};
pub use counter::{Counter, Shard, SlotChange, Spend};
pub use explain::{Change, Edit, Explanation};
pub use limits::{Cap, MAX_LIMIT};
pub use occurrence::{Member, Occurrence};
pub use parse::MAX_ITEMS;
pub use period::{MAX_PERIOD_LIMIT, Period, PeriodUnit, counter_of_slot, slot_of};
// Settings of the catalog whose types live in `models`, because parsing requests depends on them.
pub use punchcard_models::settings::{ChannelMerging, UnitStatus};
pub use reward::MAX_POINTS;
pub use rule::{Rule, Trigger};
pub use rule_id::RuleId;
pub use schedule::Schedule;
pub use shares::{MAX_SHARDS, Shares, changed_shares, equal_shares, new_shares};
pub use usage::Usage;
