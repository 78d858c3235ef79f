//! Admission: checks the credentials of a request against the catalog's clients and API keys.

use std::{sync::Arc, time::Duration};

use punchcard_http::{Call, auth, token::Verifier};
use punchcard_models::{
    access::{Access, Denied, Scope},
    erasure::ErasureKey,
    ids::ClientId,
};
use punchcard_store::{CallerReader, Callers, CatalogVersion, RulesReader, Store, StoreError};

use crate::{Failure, clock::now};

/// Time limit of one read during startup. Lambda aborts initialization after 10 seconds.
const START_LIMIT: Duration = Duration::from_secs(3);

/// Authenticates requests.
#[derive(Debug)]
pub struct Admission {
    callers: CallerReader,
    tokens: Verifier,
}

/// An authenticated request.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    /// The current catalog version.
    pub catalog: CatalogVersion,
    /// The key for digests of erased ids. `None` if nothing was erased.
    pub erasure: Option<ErasureKey>,
}

impl Admission {
    /// Loads the callers, which also opens the connection to the store.
    pub async fn open(store: &Store) -> Self {
        let callers = CallerReader::new(store);
        warm_up(callers.current(now())).await;
        Admission { callers, tokens: Verifier::default() }
    }

    /// Loads the callers, and the rules of the current catalog.
    pub async fn open_with_rules(store: &Store) -> (Self, RulesReader) {
        let (admission, rules) = (Self::open(store).await, RulesReader::new(store));
        let read = async { rules.of(admission.callers.current(now()).await?.catalog).await };
        warm_up(read).await;
        (admission, rules)
    }

    /// Verifies the `Authorization: Bearer` token.
    ///
    /// # Errors
    /// The token is not valid for `scope`, or the callers cannot be read.
    pub async fn bearer(&self, call: &Call<'_>, scope: Scope) -> Result<Admitted, Failure> {
        self.check(call, |access| auth::bearer(call, &self.tokens, access, scope).map(|_| ())).await
    }

    /// Verifies the `APIKey` header.
    ///
    /// # Errors
    /// The key is not valid, or the callers cannot be read.
    pub async fn api_key(&self, call: &Call<'_>) -> Result<Admitted, Failure> {
        self.check(call, |access| auth::api_key(call, access)).await
    }

    /// Verifies the `APIKey` header and the key's secret in `SecretKey`, which corrections need.
    ///
    /// # Errors
    /// The key or its secret is not valid, or the callers cannot be read.
    pub async fn secret_key(&self, call: &Call<'_>) -> Result<Admitted, Failure> {
        self.check(call, |access| auth::secret_key(call, access)).await
    }

    /// Verifies a client's secret.
    ///
    /// # Errors
    /// The secret is not valid for `scope`, or the callers cannot be read.
    pub async fn client(
        &self,
        call: &Call<'_>,
        id: &ClientId,
        secret: &str,
        scope: Scope,
    ) -> Result<Admitted, Failure> {
        self.check(call, |access| access.client(id, secret, scope)).await
    }

    /// Runs `check` on the cached callers, and again on refreshed ones if the caller may be new.
    async fn check(&self, call: &Call<'_>, check: impl Fn(&Access) -> Result<(), Denied>) -> Result<Admitted, Failure> {
        let admitted = |callers: &Arc<Callers>| Admitted { catalog: callers.catalog, erasure: callers.erasure };
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

/// Fills a cache during startup, within a time limit. A failure is only logged: the first request reads again.
pub async fn warm_up<T>(read: impl Future<Output = Result<T, StoreError>>) {
    match tokio::time::timeout(START_LIMIT, read).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "warm-up read failed; the first request will retry"),
        Err(_) => tracing::warn!("warm-up read timed out; the first request will retry"),
    }
}
