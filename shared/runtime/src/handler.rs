//! The abstraction of a function.

use punchcard_http::{Call, Reply, Route};
use punchcard_store::Store;

use crate::Failure;

/// A function: a route, and how its requests are answered.
///
/// The methods return `Send` futures, because `serve` runs handlers on several threads.
pub trait Handler: Send + Sync + Sized + 'static {
    /// The method, paths and dialect.
    const ROUTE: &'static Route;

    /// Opens the handler, once for all requests of a process. It reads what the first request needs, if the store answers,
    /// and never fails: the first request tries again.
    fn open(store: &Store) -> impl Future<Output = Self> + Send;

    /// Answers a request: parses, decides, writes.
    fn respond(&self, call: &Call<'_>) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// Whether a request can be sent again after a failure without taking effect twice. It decides the response when the
    /// outcome of a write is unknown.
    #[must_use]
    fn is_repeatable(_call: &Call<'_>) -> bool {
        true
    }
}
