//! DynamoDB, and nothing else knows it: tables, keys and items, one file an operation.
//!
//! A caller asks for the narrowest handle it needs ([`ClientEvents`], [`CatalogReader`], …); each knows one table.
//! What a failed condition says is an answer; everything else that goes wrong is an [`Outage`].

mod activities;
mod admin;
mod balances;
mod catalog;
mod client_events;
mod config;
mod connect;
mod digest_key;
mod item;
mod kept;
mod ledger;
mod measure;
mod new_item;
#[cfg(feature = "operator")]
mod operator;
mod outage;
mod player_events;
mod read_items;
mod retry;
mod sessions;
mod signing_keys;
mod tables;

pub use activities::{Activities, ActivityReader, ActivityRecorded, NewActivity, StoredActivity};
pub use admin::{Admin, AppliedRules, Caller, SetUp, Superseded, UnknownCaller};
pub use balances::{BalanceReader, Balances};
pub use catalog::{CatalogReader, Snapshot};
pub use client_events::{ClientEvents, Recorded};
pub use config::ConfigError;
pub use connect::Store;
pub use digest_key::DigestKey;
#[cfg(feature = "operator")]
pub use operator::{Connection, ConnectionError, OperatorStore};
pub use outage::{Cause, Outage};
pub use player_events::{NewPlayerEvents, Player, PlayerEventLog, PlayerEventsRecorded, PlayerReader};
pub use sessions::{Opened, SessionOpener, Sessions};
pub use signing_keys::SigningKeys;
pub use tables::{TableKey, Tables};
