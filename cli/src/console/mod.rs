//! The console: pages in which operators look at what is recorded, ask why, and try what would be.
//!
//! It is served on loopback addresses only: by `punchcard console`, with the operator's own access to the store, and by
//! `punchcard serve`. `guard` admits only the browser that opened the one-time link, and refuses requests of other sites.

mod assets;
mod backtest_pages;
mod backtests;
mod catalog_pages;
mod command;
mod corrections;
mod draft;
mod enter;
mod explained;
mod guard;
mod links;
mod live;
mod member_numbers;
mod members;
mod page;
mod problem;
mod record;
mod request;
mod rule_rows;
mod sessions;
mod text;
mod try_it;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::from_fn_with_state,
    response::Redirect,
    routing::{any, get, post},
};
use punchcard_rewards::Catalog;
use punchcard_store::{HistoryReader, StoreError};

use backtests::Backtests;
pub use command::{Options, run};
pub use links::Links;
use problem::Problem;
use sessions::Sessions;

use crate::{
    api::Api, catalog::parse, correct::WRITE_LIMIT, failure::Failure, limits::Limits, operator::Operator,
    traffic::Traffic,
};

/// Time limit of a page.
const PAGE_LIMIT: Duration = Duration::from_secs(20);
// A page that writes answers with the outcome of the write.
const _: () = assert!(WRITE_LIMIT.as_secs() < PAGE_LIMIT.as_secs());
/// Number of records in a page.
const RECORDS: usize = 50;

/// The permissions of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading, voiding, adjusting and sending requests.
    Write,
}

/// The condition for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The browser has opened the one-time link.
    Link,
    /// None: any browser on this machine gets one, because the demo's credentials are public anyway.
    Anyone,
}

/// The console of a store.
pub struct Console {
    operator: Arc<Operator>,
    history: HistoryReader,
    access: Access,
    entry: Entry,
    sessions: Arc<Sessions>,
    backtests: Arc<Backtests>,
    /// The address that it is served on.
    address: SocketAddr,
    limits: Limits,
    /// The requests of the server that the console is part of.
    traffic: Option<Arc<Traffic>>,
    /// The API, if requests may be sent to it.
    api: Option<Api>,
}

impl Console {
    /// Creates the console of a store, to be served on a loopback address.
    ///
    /// # Errors
    /// The address is not a loopback address.
    pub fn new(
        operator: Operator,
        access: Access,
        entry: Entry,
        address: SocketAddr,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        if !address.ip().is_loopback() {
            return Err(Failure::ConsoleInPublic(address));
        }
        Ok(Console {
            history: HistoryReader::new(&operator.store),
            operator: Arc::new(operator),
            access,
            entry,
            sessions: Arc::default(),
            backtests: Arc::default(),
            address,
            limits: limits.clone(),
            traffic: None,
            api: None,
        })
    }

    /// Shows the requests of a server.
    #[must_use]
    pub fn with_traffic(self, traffic: Arc<Traffic>) -> Self {
        Console { traffic: Some(traffic), ..self }
    }

    /// Sends requests to an API, if the console may write.
    #[must_use]
    pub fn with_api(self, api: Router) -> Self {
        let api = self.writes().then_some(Api::InProcess(api));
        Console { api, ..self }
    }

    /// Returns the source of its links.
    #[must_use]
    pub fn links(&self) -> Links {
        Links { sessions: self.sessions.clone(), entry: self.entry, address: self.address }
    }

    fn writes(&self) -> bool {
        self.access == Access::Write
    }

    /// Returns the catalog in force, or an empty one.
    async fn catalog(&self) -> Result<Catalog, Problem> {
        let rules = self.operator.admin.rules_json().await.map_err(|error| self.explain(error))?;
        Ok(rules.as_deref().map(parse).transpose()?.unwrap_or_default())
    }

    /// Adds the likely cause to a store error.
    fn explain(&self, error: StoreError) -> Problem {
        self.operator.explain(error.into()).into()
    }
}

/// Creates the routes.
pub fn router(console: Console) -> Router {
    let console = Arc::new(console);
    Router::new()
        .route("/console", get(async || Redirect::to("/console/live")))
        .route("/console/live", get(live::live))
        .route("/console/live.json", get(live::figures))
        .route("/console/enter", get(enter::enter))
        .route("/console/assets/{name}", get(assets::asset))
        .route("/console/members", get(members::search))
        .route("/console/member", get(members::member))
        .route("/console/record", get(record::record))
        .route("/console/catalog", get(catalog_pages::overview))
        .route("/console/catalog/history", get(catalog_pages::history))
        .route("/console/catalog/changes", get(catalog_pages::changes))
        .route("/console/catalog/version", get(catalog_pages::version))
        .route("/console/catalog/draft", get(draft::editor))
        .route("/console/catalog/check", post(draft::check))
        .route("/console/catalog/dry-run", post(draft::dry_run))
        .route("/console/catalog/backtest", get(backtest_pages::show).post(backtest_pages::start))
        .route("/console/catalog/backtest.json", get(backtest_pages::progress))
        .route("/console/catalog/backtest/cancel", post(backtest_pages::cancel))
        .route("/console/catalog/backtest/report", get(backtest_pages::report))
        .route("/console/void", get(corrections::void).post(corrections::confirm_void))
        .route("/console/adjust", get(corrections::adjust).post(corrections::confirm_adjust))
        .route("/console/try", get(try_it::form).post(try_it::submit))
        .route("/console/leave", post(enter::leave))
        .route("/console/{*rest}", any(async || Problem::NoPage))
        .layer(from_fn_with_state(console.clone(), guard::guard))
        .with_state(console)
}
