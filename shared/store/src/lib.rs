//! The DynamoDB store: tables, keys, items, conditional writes and store errors. No other crate of the functions uses
//! the AWS SDK.
//!
//! A function creates the handles that it needs from a [`Store`], such as [`ClientEventWriter`] or [`BalanceReader`].
//! Each handle uses one or two tables, and the function's IAM policy allows exactly the operations of its handles.
//! Failed conditions are outcomes; all other failures are a [`StoreError`].
//!
//! ```no_run
//! use punchcard_models::member::MemberId;
//! use punchcard_store::{BalanceReader, Store};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::local("http://127.0.0.1:8000", "punchcard-");
//! let member = MemberId::Account("A-1001".parse()?);
//! let balances = BalanceReader::new(&store).of(&member).await?;
//! println!("{balances:?}");
//! # Ok(())
//! # }
//! ```

mod activities;
mod activity_pages;
mod admin;
mod balances;
mod cache;
mod catalog;
mod catalog_reader;
mod client;
mod client_events;
mod conditional_write;
mod config;
mod correction_transaction;
mod correction_writer;
mod corrections;
mod digest_key;
mod eraser;
mod erasures;
mod error;
mod evaluation;
mod export;
mod history;
mod import;
mod item;
mod ledger;
mod ledger_reader;
mod lookup;
mod member_change;
mod member_write;
mod newest;
#[cfg(feature = "operator")]
mod operator;
mod partition_pages;
mod person;
mod player_events;
mod player_records;
mod players;
mod read_items;
mod records;
mod refund_writer;
mod refunds;
mod retry;
mod sdk_metrics;
mod sessions;
mod signing_keys;
mod stream;
mod tables;
mod tombstones;
mod totals;

pub use activities::{ActivityReader, ActivityRecord, ActivityRecorded, ActivityWriter, NewActivity, StoredActivity};
pub use activity_pages::{ActivityPage, ActivityPages, InvalidPosition, Position};
pub use admin::{AddOutcome, Admin, AdminError, AppliedRules, Caller, ShareChange};
pub use balances::{BalanceReader, Balances, Holdings};
pub use catalog::{Callers, CatalogVersion, Snapshot};
pub use catalog_reader::{AppliedCatalog, CallerReader, RulesReader};
pub use client::{Store, http_connector, sdk_config};
pub use client_events::{ClientEventWriter, Recorded};
pub use config::{ConfigError, text_variable, url_variable};
pub use correction_writer::{Corrected, CorrectionWriter, NewAdjustment, NewReversal, Reversed};
pub use corrections::{CorrectionContent, OUT, StoredCorrection, is_given_back, taken_json};
pub use digest_key::DigestKeyReader;
pub use eraser::{EraseError, Eraser, Pauses, Progress};
pub use erasures::Erasure;
pub use error::{Cause, StoreError};
pub use evaluation::{Basis, Evaluation, StoredOccurrence, StoredTrigger};
pub use history::{Annotation, AppliedVersion, HistoryReader};
pub use import::Importer;
pub use ledger::Mode;
pub use ledger_reader::{ItemPage, LedgerReader, Page, Start, StoredMember, TablePart};
pub use lookup::{Lookup, Subject};
pub use newest::{Newest, NewestReader, RecordPosition, StoredClientEvent};
#[cfg(feature = "operator")]
pub use operator::{Connection, ConnectionError, OperatorStore, operator_s3};
pub use partition_pages::{PageEnd, PageOrder, PartitionPage, PartitionPages};
pub use person::{Exported, Person, PersonIds, PersonReader};
pub use player_events::{
    Evaluated, NewPlayerEvents, PlayerEventWriter, PlayerEventsRecorded, RequestId, StoredPlayerEvents,
};
pub use player_records::PlayerRecord;
pub use players::{PlayerReader, PlayerWriter};
pub use records::{RecordKind, StoredItem, StoredRecord};
pub use refund_writer::{NewRefund, RefundRecorded, RefundWriter};
pub use refunds::{OrderAward, OrderRefunds, StoredRefund};
pub use sessions::{Opened, SessionReader, SessionWriter};
pub use signing_keys::SigningKeyReader;
pub use stream::{Change, InvalidSequenceNumber, SequenceNumber, StreamEvent, StreamRecord};
pub use tables::{IndexDefinition, TableDefinition, TableKey, Tables};
pub use tombstones::{Effects, ErasedRecord};
pub use totals::StoredTotal;
