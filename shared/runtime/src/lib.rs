//! Runs handlers: on Lambda, in `punchcard serve`, and in tests.
//!
//! A function is a type that implements [`Handler`]: a route, store handles that are opened once, and a method that
//! turns a request into a reply. This crate provides what all functions share: authentication ([`Admission`]),
//! deadlines, panic handling, logs, metrics, and the mapping of store errors to responses. It is the only crate that
//! depends on both the HTTP layer and the store, and the only one that reads the system clock.
//!
//! ```
//! use punchcard_http::{Call, Reply, Route, route};
//! use punchcard_models::access::Scope;
//! use punchcard_runtime::{Admission, Failure, Handler};
//! use punchcard_store::Store;
//!
//! struct Greet {
//!     admission: Admission,
//! }
//!
//! impl Handler for Greet {
//!     const ROUTE: &'static Route = &route::GET_BALANCES;
//!
//!     async fn open(store: &Store) -> Self {
//!         Greet { admission: Admission::open(store).await }
//!     }
//!
//!     async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
//!         self.admission.bearer(call, Scope::Activities).await?;
//!         Ok(Reply::ok(&"hello"))
//!     }
//! }
//! ```

mod admission;
mod batch;
pub mod body;
mod clock;
pub mod correction;
mod dry_run;
mod failure;
mod handler;
pub mod logs;
pub mod metrics;
mod observation;
pub mod player_intake;
mod player_lookup;
mod quarantine;
mod run;
mod service;

pub use admission::{Admission, Admitted, warm_up};
pub use batch::{BATCH_LIMIT, BatchHandler, run_batches};
pub use clock::{Arrived, now};
pub use dry_run::mode;
pub use failure::Failure;
pub use handler::Handler;
pub use observation::{Observation, observed};
pub use player_intake::PlayerIntake;
pub use player_lookup::PlayerLookup;
pub use quarantine::{QUARANTINE_LIMIT, Quarantine, REPLAY};
pub use run::run;
pub use service::{REQUEST_LIMIT, Service, refuse};
