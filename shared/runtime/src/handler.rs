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

    /// Whether rejected requests are quarantined, where a quarantine is configured: those that would have recorded
    /// something. Never of a route whose requests have credentials in their bodies.
    ///
    /// A handler of such a route authenticates its caller before it reads anything else of the request, so that strangers
    /// cannot fill the quarantine.
    const IS_QUARANTINED: bool = false;

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
