//! Runs handlers: on Lambda, in `punchcard serve`, and in tests.
//!
//! A function is a type that implements [`Handler`]: a route, the store handles that it opens once, and one function from
//! request to reply. Everything that functions share is here: [`Admission`] (callers and credentials), the deadline, panic
//! handling, logs, metrics, and the mapping of store errors to responses. This is the only crate that knows both the HTTP
//! edge and the store, and the only one that reads the clock.
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
mod clock;
mod failure;
mod handler;
pub mod logs;
pub mod metrics;
mod run;
mod service;

pub use admission::{Admission, Admitted, warm_up};
pub use clock::{Arrived, now};
pub use failure::Failure;
pub use handler::Handler;
pub use run::run;
pub use service::{REQUEST_LIMIT, Service, refuse};
