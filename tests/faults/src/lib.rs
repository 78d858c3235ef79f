//! A simulator of faults.
//!
//! The real handlers and the real SDK run against the embedded store, and everything between them fails in every way
//! that a network and a store have. Clients send, wait, lose patience and send again. Then a checker reads the history
//! and the tables, and says whether what was promised was kept: recorded exactly once, paid exactly once.
//!
//! One seed is one course of things: time is simulated, and whatever happens by chance comes from the seed.

mod ask;
mod call;
mod checker;
mod clients;
mod contention;
mod fault;
mod history;
mod instance;
mod operator;
mod plan;
mod run;
mod store;
mod system;
mod variant;
mod wire;
mod world;

pub use checker::Violation;
pub use contention::{Hot, Load, Measured, measure};
pub use run::{Outcome, Tally, run};
pub use variant::Variant;
