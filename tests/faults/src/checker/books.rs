//! The operator's audit of the tables: every award follows from its record, and every balance from the records.

use std::sync::Arc;

use punchcard::audit::{self, Report, Scope};

use super::{MAX_VIOLATIONS, Violation};
use crate::{wire, world::World};

/// Audits the store. Returns what was audited, and a violation for each difference.
pub(crate) async fn check(world: &Arc<World>) -> (Report, Vec<Violation>) {
    let mut differences = Vec::new();
    let store = wire::safe_store(world);
    let audited = audit::audit(&store, Scope::Store, |_| {}, |difference| differences.push(difference)).await;
    let (report, failed) = match audited {
        Ok(report) => (report, None),
        Err(error) => (Report::default(), Some(format!("the audit failed: {error}"))),
    };
    let said = differences.iter().map(|difference| format!("the audit says: {difference}"));
    let violations = said.chain(failed).take(MAX_VIOLATIONS).map(|what| Violation { what, history: Vec::new() });
    (report, violations.collect())
}
