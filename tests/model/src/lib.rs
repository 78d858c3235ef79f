//! A model of the write protocol, for a model checker.
//!
//! The checker explores every interleaving of the store's operations, with every loss, up to the bounds of a
//! [`Scenario`]. It looks for a state that breaks a property, and returns the path to it. The fault simulator in
//! `tests/faults` runs the real code on some interleavings; this model has all interleavings, but not the real code.
//!
//! # The system
//!
//! A rule pays one point, and has a total limit of 2 uses in two shards of share 1, `cap#RULE#0` and `cap#RULE#1`. The
//! activities of two members contend for them. Each activity and each reversal has one client, which sends its request
//! again after a lost answer, an unavailable store or an unknown outcome. Each request has a handler of its own.
//!
//! | action | code | conditions |
//! |---|---|---|
//! | [`Send`](Action::Send), first step of a handler | `Ledger::known_totals`: full shards that an instance remembers; a new instance remembers none | |
//! | [`Transact`](Action::Transact) of a [`Record`](Transaction::Record) that is paid | `Ledger::write` picks a shard at random; `Ledger::transact`, with `MemberWrite::write` and `totals::spend` | the record is new; the member's uses allow it; the shard's uses are at most share - 1 |
//! | the same, unpaid | `put_new` | the record is new |
//! | its answer | `Ledger::write`, with `read_reasons`: a record with the own `writeId` is success, another one a duplicate; a member without uses is remembered; after a full shard all shards are read | |
//! | [`ReadShard`](Action::ReadShard) | `Ledger::read`; the uses are remembered | |
//! | [`ReadActivity`](Action::ReadActivity) | `CorrectionWriter::reverse`: `ActivityReader::get`, and `taken_by` for what is taken back | |
//! | [`Transact`](Action::Transact) of a [`Reversal`](Transaction::Reversal) | `CorrectionTransactions::run`, with `mark_reversed`, `MemberChange::member_write` and `MemberChange::total_writes`, to the shard that the record names (`shard#RULE`) | the reversal is new; the activity has no mark |
//! | a [`Fate`](action::Fate) other than an answer, then another attempt | `FailedAttempt`, `Retries::after` | |
//! | [`GiveUp`](Action::GiveUp) | `Retries::after` at the deadline: `StoreError::OutcomeUnknown` if an attempt may have taken effect, otherwise `StoreError::Unavailable` | |
//! | [`Arrive`](Action::Arrive) | none: the network delivers a transaction after its handler stopped waiting, or even ended | |
//! | [`StopWaiting`](Action::StopWaiting), [`Kill`](Action::Kill) | none: the client, or Lambda | |
//!
//! # What is left out
//!
//! | | reason |
//! |---|---|
//! | lost answers of reads | the SDK reads again, and a read changes nothing |
//! | lost requests of clients | the same as a handler that is killed before its first step |
//! | the time of 30 s after which an instance forgets | a request can reach a new instance instead, at any time |
//! | erasures, refunds, aliases of players, balances that must not fall below zero | other transactions; the fault simulator has them |
//! | `CorrectionTransactions::without_original` | a reversal is recorded only together with the mark on its activity |
//! | more faults than the scenario's bound | each one more makes 10 to 60 times as many states |

pub mod action;
mod check;
mod examples;
mod handler;
mod invariants;
mod model;
pub mod properties;
mod report;
pub mod scenario;
pub mod state;
pub mod store;
mod variant;

pub use action::Action;
pub use check::{Report, Violation, check};
pub use model::Protocol;
pub use scenario::Scenario;
pub use store::Transaction;
pub use variant::Variant;
