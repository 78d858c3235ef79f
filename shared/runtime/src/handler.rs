//! The trait that every function implements.

use punchcard_http::{Call, Reply, Route};
use punchcard_store::Store;

use crate::Failure;

/// A request handler for one route. Each Lambda function is one handler.
///
/// Futures are `Send` because `punchcard serve` runs handlers on a multi-threaded runtime.
pub trait Handler: Send + Sync + Sized + 'static {
    /// The method, paths and dialect.
    const ROUTE: &'static Route;

    /// Creates the handler, once per process. It warms up caches but never fails: if the store is unavailable, the
    /// first request reads again.
    fn open(store: &Store) -> impl Future<Output = Self> + Send;

    /// Handles a request.
    fn respond(&self, call: &Call<'_>) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// Returns true if a retry of the request cannot take effect twice. Determines the response when the outcome of a
    /// write is unknown.
    #[must_use]
    fn is_repeatable(_call: &Call<'_>) -> bool {
        true
    }
}
