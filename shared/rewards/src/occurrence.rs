//! The input of an evaluation: an activity or player event, and the member it belongs to.

use punchcard_models::{
    data::OpenData,
    ids::{AccountId, LoyaltyId},
    timestamp::Timestamp,
};

use crate::rule::Trigger;

/// An activity or a player event.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// The activity's action or the event's name.
    pub trigger: Trigger<'a>,
    /// The activity's channel. Events have none.
    pub channel: Option<&'a str>,
    /// The only unit whose offers count. `None`: the offers of all enabled units count.
    pub business_unit: Option<&'a str>,
    /// The time to which windows and periods apply: an activity's `when`, an event's arrival.
    pub at: Timestamp,
    /// The arrival time. It decides which periods are open.
    pub received_at: Timestamp,
    /// The fields to which conditions apply.
    pub data: &'a OpenData,
}

/// The ids by which targeted offers select members. A correlation id is neither, even if it reads the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Member<'a> {
    /// The account, if a session named one.
    pub account: Option<&'a AccountId>,
    /// The account's loyalty id.
    pub loyalty: Option<&'a LoyaltyId>,
}
