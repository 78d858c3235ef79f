//! The checker: reads the history and the tables, and says which promises were not kept.
//!
//! It knows the system's promises to its clients, and the purpose of the tables, and nothing of the implementation.

mod access;
mod activities;
pub(crate) mod books;
mod client_events;
mod corrections;
mod players;
mod refunds;
mod rewards;
mod sessions;

use std::{cell::RefCell, collections::BTreeSet, fmt};

use punchcard::embedded::TABLE_PREFIX;
use serde_json::Value;

use crate::{
    fault::Kind,
    history::{Ask, History, Millis, Request, Trouble, What},
    store::{items, text},
    world::World,
};

/// Maximum number of violations that one run reports.
const MAX_VIOLATIONS: usize = 5;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property and its contradiction.
    pub what: String,
    /// The part of the history that shows it.
    pub history: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The beginning and the end tell most.
        const LINES: usize = 40;
        const WIDTH: usize = 400;
        writeln!(f, "{}", self.what)?;
        let (first, last) = self.history.split_at(self.history.len().min(LINES));
        let left_out = last.len().saturating_sub(LINES);
        let mut tell = |line: &String| {
            let (short, rest) = line.split_at(line.floor_char_boundary(WIDTH));
            writeln!(f, "    {short}{}", if rest.is_empty() { "" } else { "…" })
        };
        first.iter().try_for_each(&mut tell)?;
        if left_out > 0 {
            tell(&format!("… {left_out} lines …"))?;
        }
        last[left_out..].iter().try_for_each(&mut tell)
    }
}

/// The evidence: the history, and the tables at the end.
pub(crate) struct Evidence<'w> {
    pub history: &'w History,
    pub client_events: Vec<Value>,
    pub activities: Vec<Value>,
    pub player_events: Vec<Value>,
    pub sessions: Vec<Value>,
    pub members: Vec<Value>,
    found: RefCell<Vec<Violation>>,
}

/// Everything that is wrong.
pub(crate) fn check(world: &World) -> Vec<Violation> {
    let table = |name: &str| items(&world.database, &format!("{TABLE_PREFIX}{name}"));
    let evidence = Evidence {
        history: &world.history(),
        client_events: table("ClientEvents"),
        activities: table("Activities"),
        player_events: table("PlayerEvents"),
        sessions: table("Sessions"),
        members: table("Members"),
        found: RefCell::default(),
    };
    answers(&evidence);
    written_once(&evidence);
    access::check(&evidence);
    client_events::check(&evidence);
    sessions::check(&evidence);
    activities::check(&evidence);
    corrections::check(&evidence);
    players::check(&evidence);
    refunds::check(&evidence);
    rewards::check(&evidence);
    evidence.found.into_inner()
}

impl Evidence<'_> {
    /// Something is wrong, and lines with one of these words tell how it came.
    pub(crate) fn wrong(&self, what: String, about: &[String]) {
        let mut found = self.found.borrow_mut();
        if found.len() < MAX_VIOLATIONS && !found.iter().any(|violation| violation.what == what) {
            found.push(Violation { what, history: self.history.lines(about) });
        }
    }

    /// Checks a promise about these.
    pub(crate) fn check(&self, kept: bool, about: &[&str], what: impl FnOnce() -> String) {
        if !kept {
            self.wrong(what(), &about.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        }
    }

    /// The requests, with their numbers.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (usize, &Request)> + Clone {
        self.history.requests.iter().enumerate()
    }

    /// Settings and rules that a request may have met, in JSON: those in force when it came, and before, as long as an
    /// instance may keep them; those of `until` at the latest.
    pub(crate) fn rules_for(&self, request: &Request, until: Millis) -> Vec<&str> {
        let from = request.sent.saturating_sub(self.longest_kept(request));
        let rules = self.history.changes.iter().filter_map(|change| match &change.what {
            What::Rules { json, .. } => Some((change, json)),
            What::Revoked(_) => None,
        });
        let rules: Vec<_> = rules.collect();
        let in_force = rules.iter().enumerate().filter(|(index, (change, _))| {
            let replaced = rules.get(index + 1).map_or(Millis::MAX, |(next, _)| next.done);
            change.begun <= until && replaced >= from
        });
        in_force.map(|(_, (_, json))| json.as_str()).collect()
    }

    /// The longest that a request's instance may use an old catalog, in milliseconds: a minute, or five if it could
    /// not be read.
    pub(crate) fn longest_kept(&self, request: &Request) -> Millis {
        const MINUTE: Millis = 60_000;
        let recent = request.sent.saturating_sub(6 * MINUTE);
        let failed = self.history.calls.iter().any(|call| {
            call.instance == request.instance
                && call.operation == "Query"
                && call.trouble.is_some_and(|trouble| trouble != Trouble::Fault(Kind::Paged))
                && call.at >= recent
                && request.ended.is_none_or(|ended| call.at <= ended)
        });
        if failed { 5 * MINUTE } else { MINUTE }
    }
}

/// Every request gets an answer that its API documents, and a failure only where something fails.
fn answers(evidence: &Evidence<'_>) {
    for (number, request) in evidence.requests() {
        let documented: &[u16] = match request.ask {
            Ask::Token { customer: Some(_) } => &[200, 401, 500],
            Ask::ClientEvents { .. } => &[200, 207, 400, 401, 409, 500],
            Ask::Activity { .. } | Ask::DryRun(_) => &[200, 400, 401, 422, 503],
            Ask::Void { .. } => &[200, 400, 401, 404, 409, 503],
            Ask::Adjust { .. } => &[200, 401, 409, 503],
            Ask::ReadActivity { .. } | Ask::ReadPlayer { .. } => &[200, 401, 404, 503],
            Ask::OpenSession { .. } => &[200, 401, 404, 409, 503],
            Ask::Token { customer: None } | Ask::ReadBalances { .. } | Ask::SavePlayer { .. } => &[200, 401, 503],
            Ask::PlayerEvents { .. } => &[200, 401, 422, 503],
            Ask::Refund { .. } => &[200, 401, 404, 422, 503],
        };
        let about = [format!("#{number} ")];
        if matches!(request.ask, Ask::DryRun(_)) {
            let wrote = evidence.history.writes.iter().any(|write| write.request == Some(number));
            evidence.check(!wrote, &[&about[0]], || format!("#{number} is a dry run, and wrote"));
        }
        match request.status() {
            Some(status) if !documented.contains(&status) => {
                evidence.wrong(format!("#{number} is answered {status}, which its API doesn't know"), &about);
            }
            Some(500..)
                if request.answer.as_ref().is_some_and(|answer| answer.retry_after)
                    && request.ask.is_keyless()
                    && evidence.history.writes.iter().any(|write| write.request == Some(number)) =>
            {
                evidence.wrong(format!("#{number} has no id, is recorded, and is invited to be sent again"), &about);
            }
            Some(500..) if request.calm => {
                evidence.wrong(format!("#{number} is answered with a failure, though nothing fails"), &about);
            }
            None if request.ended.is_none() => {
                evidence.wrong(format!("#{number} never ended: its handler panicked"), &about);
            }
            _ => {}
        }
    }
}

/// A record is never written again.
fn written_once(evidence: &Evidence<'_>) {
    let keys = [
        ("ClientEvents", ["customerId", "clientEventId"]),
        ("Activities", ["activityId", "activityId"]),
        ("PlayerEvents", ["playerId", "recordId"]),
        ("Sessions", ["correlationId", "correlationId"]),
    ];
    let mut seen = BTreeSet::new();
    for write in &evidence.history.writes {
        let Some((_, key)) = keys.iter().find(|(table, _)| *table == write.table) else { continue };
        let key = key.map(|name| text(&write.item, name).unwrap_or_default());
        evidence.check(seen.insert((&write.table, key)), &[key[1]], || {
            format!("{} has {key:?} written twice", write.table)
        });
    }
}
