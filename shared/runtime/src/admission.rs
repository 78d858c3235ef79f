//! Admission: the callers of the catalog, and the credentials of a request.

use std::{sync::Arc, time::Duration};

use punchcard_http::{Call, auth, token::Verifier};
use punchcard_models::{
    access::{Access, Denied, Scope},
    ids::ClientId,
};
use punchcard_store::{CallerReader, Callers, CatalogVersion, RulesReader, Store, StoreError};

use crate::{Failure, clock::now};

/// The longest that one read may take when a process starts. Lambda ends a start after 10 seconds.
const START_LIMIT: Duration = Duration::from_secs(3);

/// Decides who may call.
#[derive(Debug)]
pub struct Admission {
    callers: CallerReader,
    tokens: Verifier,
}

/// A caller whose credentials hold.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    /// The catalog in force.
    pub catalog: CatalogVersion,
}

impl Admission {
    /// Reads the callers, which also opens the connection to the store.
    pub async fn open(store: &Store) -> Self {
        let callers = CallerReader::new(store);
        warm_up(callers.current(now())).await;
        Admission { callers, tokens: Verifier::default() }
    }

    /// The same, with the rules of the catalog in force.
    pub async fn open_with_rules(store: &Store) -> (Self, RulesReader) {
        let (admission, rules) = (Self::open(store).await, RulesReader::new(store));
        let read = async { rules.of(admission.callers.current(now()).await?.catalog).await };
        warm_up(read).await;
        (admission, rules)
    }

    /// Checks `Authorization: Bearer`.
    ///
    /// # Errors
    /// The token does not hold, or the callers cannot be read.
    pub async fn bearer(&self, call: &Call<'_>, scope: Scope) -> Result<Admitted, Failure> {
        self.check(call, |access| auth::bearer(call, &self.tokens, access, scope).map(|_| ())).await
    }

    /// Checks the `APIKey` header.
    ///
    /// # Errors
    /// The key does not hold, or the callers cannot be read.
    pub async fn api_key(&self, call: &Call<'_>) -> Result<Admitted, Failure> {
        self.check(call, |access| auth::api_key(call, access)).await
    }

    /// Checks a client's secret.
    ///
    /// # Errors
    /// The secret does not hold, or the callers cannot be read.
    pub async fn client(
        &self,
        call: &Call<'_>,
        id: &ClientId,
        secret: &str,
        scope: Scope,
    ) -> Result<Admitted, Failure> {
        self.check(call, |access| access.client(id, secret, scope)).await
    }

    /// Checks by the cached callers, and by newer ones if those do not know the caller.
    async fn check(&self, call: &Call<'_>, check: impl Fn(&Access) -> Result<(), Denied>) -> Result<Admitted, Failure> {
        let admitted = |callers: &Arc<Callers>| Admitted { catalog: callers.catalog };
        let callers = self.callers.current(call.now).await?;
        match check(&callers.access) {
            Ok(()) => Ok(admitted(&callers)),
            Err(denied) if denied.may_be_new() => {
                let callers = self.callers.newer(call.now).await?;
                check(&callers.access)?;
                Ok(admitted(&callers))
            }
            Err(denied) => Err(denied.into()),
        }
    }
}

/// Reads what the first request would read, for as long as a start may take. If it fails, the first request reads again.
pub async fn warm_up<T>(read: impl Future<Output = Result<T, StoreError>>) {
    match tokio::time::timeout(START_LIMIT, read).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "not read at the start; the first request reads it"),
        Err(_) => tracing::warn!("not read in time at the start; the first request reads it"),
    }
}
