//! The catalog, and what it pays: [`Catalog::evaluate`] takes what happened and who did it, and gives the award with
//! its reasons. Pure: no AWS, no HTTP, no clock.
//!
//! `demo.yaml` documents the catalog's format. Activities are rewarded by offers and player events by campaigns; to
//! the engine both are rules, with the same windows, conditions and limits.

mod award;
mod catalog;
mod condition;
mod evaluate;
mod parse;
mod reward;
mod rule;
#[cfg(feature = "yaml")]
pub mod yaml;

pub use award::{Award, Counter, Earned, Line, Spend, Verdict, Why};
pub use catalog::{BUILT_IN_ACTIONS, Catalog};
pub use evaluate::{Member, Occurrence, Trigger, Usage};
pub use parse::MAX_ITEMS;
pub use reward::MAX_POINTS;
pub use rule::{MAX_LIMIT, Rule, RuleId};
