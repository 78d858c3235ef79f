//! The history: every request with its answer, every call of the store, every write that took effect.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::fault::Kind;

/// Milliseconds since the run began.
pub(crate) type Millis = u64;

/// All of it, in the order in which it happened.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub requests: Vec<Request>,
    pub calls: Vec<Call>,
    pub writes: Vec<Write>,
    pub changes: Vec<Change>,
}

/// A client's request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// For client events of a customer, or for activities.
    Token {
        customer: Option<&'static str>,
    },
    ClientEvents {
        customer: &'static str,
        request_id: Option<String>,
        events: Vec<Event>,
    },
    Activity {
        correlation: String,
        id: Option<String>,
        key: Option<String>,
        tag: u64,
        body: Value,
    },
    ReadActivity {
        correlation: String,
        id: String,
    },
    Void {
        correlation: String,
        original: String,
        reference: Option<String>,
    },
    Adjust {
        correlation: String,
        reference: String,
        amount: i64,
    },
    OpenSession {
        correlation: String,
        identifier: String,
        by_loyalty_id: bool,
    },
    ReadBalances {
        correlation: String,
    },
    PlayerEvents {
        player: String,
        address: Option<String>,
        /// The id of its record, if it has one of its own: `key#…` from an Idempotency-Key, `order#…` from an order's id.
        id: Option<String>,
        tag: u64,
        body: Value,
    },
    Refund {
        player: String,
        id: String,
        /// The order's id.
        order: String,
        /// All that is left of the order, if there is none.
        amount: Option<i64>,
    },
    SavePlayer {
        player: String,
        address: Option<String>,
        body: Value,
    },
    ReadPlayer {
        player: String,
    },
    /// An activity or player events, as a dry run.
    DryRun(Box<Ask>),
}

impl Ask {
    /// Returns whether it has no id of its own: sent twice, it counts twice.
    pub(crate) fn is_keyless(&self) -> bool {
        matches!(self, Ask::Activity { id: None, key: None, .. } | Ask::PlayerEvents { id: None, .. })
    }
}

/// A client event. The tag is all that tells its content from another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub id: String,
    pub tag: u64,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub client: usize,
    /// The owner of its credentials.
    pub caller: &'static str,
    pub instance: usize,
    pub ask: Ask,
    pub sent: Millis,
    /// The time of its answer, or of the end of its handler.
    pub ended: Option<Millis>,
    /// None where the handler was cut off.
    pub answer: Option<Answer>,
    /// Set if it was sent after the last fault.
    pub calm: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
    pub replayed: bool,
    /// Set if the answer says that the request can be sent again as it is.
    pub retry_after: bool,
}

impl Answer {
    /// Returns whether a request without an id of its own may be sent again.
    pub(crate) fn invites_retry(&self) -> bool {
        self.status >= 500 && self.retry_after
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Request {
    /// The status of the answer, if there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Returns whether its outcome is unknown: it was cut off, or the store failed.
    pub(crate) fn is_open(&self) -> bool {
        self.status().is_none_or(|status| status >= 500)
    }

    /// Returns whether it succeeded, and was not replayed.
    pub(crate) fn is_new(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.status == 200 && !answer.replayed)
    }

    /// Returns whether it may have stored its content.
    pub(crate) fn may_have_stored(&self) -> bool {
        self.is_new() || self.is_open()
    }

    /// Returns whether it was sent before the other one was answered.
    pub(crate) fn may_precede_answer_of(&self, other: &Request) -> bool {
        other.ended.is_some_and(|ended| self.sent <= ended)
    }

    /// Returns whether it was answered before the other one was sent.
    pub(crate) fn precedes(&self, other: &Request) -> bool {
        self.ended.is_some_and(|ended| ended <= other.sent)
    }
}

/// One call of the store.
#[derive(Debug)]
pub(crate) struct Call {
    pub at: Millis,
    pub instance: usize,
    /// The request that it serves; none where an operator calls.
    pub request: Option<usize>,
    pub operation: String,
    pub trouble: Option<Trouble>,
}

/// The trouble of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    Fault(Kind),
    /// The handler ends here, before the call is made.
    CutOffBefore,
    /// The handler ends here, after the call was carried out.
    CutOffAfter,
}

/// An item that was put, in the order of effect.
#[derive(Debug)]
pub(crate) struct Write {
    pub at: Millis,
    pub request: Option<usize>,
    pub table: String,
    pub item: Value,
}

/// A change by the operator.
#[derive(Debug)]
pub(crate) struct Change {
    /// It takes effect after this,
    pub begun: Millis,
    /// and at this at the latest.
    pub done: Millis,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Settings and rules: what is other now, and all of them in JSON.
    Rules { change: String, json: String },
    /// This client or API key is revoked.
    Revoked(&'static str),
}

impl History {
    /// The lines that tell of one of these, and all calls that such a request made, in time; all lines, if these are
    /// none.
    pub(crate) fn lines(&self, about: &[String]) -> Vec<String> {
        let tells = |line: &str| about.is_empty() || about.iter().any(|word| line.contains(word.as_str()));
        let mut lines: Vec<(Millis, usize, String)> = Vec::new();
        let mut shown = vec![false; self.requests.len()];
        for (number, request) in self.requests.iter().enumerate() {
            let Request { client, caller, instance, ask, sent, ended, answer, calm: _ } = request;
            let asked = format!("#{number} client {client} as {caller} → instance {instance}: {ask:?}");
            let answered = match (answer, ended) {
                (Some(Answer { status, .. }), _) if matches!(ask, Ask::Token { .. }) => format!("#{number} ← {status}"),
                (Some(Answer { status, body, replayed, .. }), _) => {
                    format!("#{number} ← {status}{} {body}", if *replayed { " replayed" } else { "" })
                }
                (None, Some(_)) => format!("#{number} cut off"),
                (None, None) => format!("#{number} never ended"),
            };
            if tells(&asked) || tells(&answered) {
                shown[number] = true;
                lines.push((*sent, lines.len(), asked));
                lines.push((ended.unwrap_or(Millis::MAX), lines.len(), answered));
            }
        }
        for Call { at, instance, request, operation, trouble } in &self.calls {
            if request.map_or(about.is_empty(), |number| shown[number]) {
                let who = request.map_or_else(|| format!("instance {instance}"), |number| format!("#{number}"));
                let trouble = trouble.map_or_else(String::new, |trouble| match trouble {
                    Trouble::Fault(kind) => format!(": {kind}"),
                    Trouble::CutOffBefore => ": cut off before".to_owned(),
                    Trouble::CutOffAfter => ": cut off after".to_owned(),
                });
                lines.push((*at, lines.len(), format!("{who}   {operation}{trouble}")));
            }
        }
        for Write { at, request, table, item } in &self.writes {
            let by = request.map_or_else(String::new, |number| format!(" by #{number}"));
            let line = format!("   {table} gets{by}: {item}");
            if tells(&line) {
                lines.push((*at, lines.len(), line));
            }
        }
        for Change { done, what, .. } in &self.changes {
            let what = match what {
                What::Rules { change, .. } => format!("applies a catalog: {change}"),
                What::Revoked(name) => format!("revokes {name}"),
            };
            lines.push((*done, lines.len(), format!("   the operator {what}")));
        }
        lines.sort();
        lines.into_iter().map(|(at, _, line)| format!("{}  {line}", seconds(at))).collect()
    }

    /// A digest of it all, with the ids that the product makes counted, not read.
    pub(crate) fn digest(&self) -> String {
        let mut sha = Sha256::new();
        let mut ids = Ids::default();
        for line in self.lines(&[]) {
            sha.update(ids.counted(&line));
            sha.update("\n");
        }
        sha.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        })
    }
}

/// `12.345 s`
fn seconds(at: Millis) -> String {
    format!("{:>6}.{:03} s", at / 1000, at % 1000)
}

/// Hexadecimal runs as long as a random id, base64 as long as one, by the order in which they turn up.
#[derive(Default)]
struct Ids(HashMap<String, usize>);

impl Ids {
    fn counted(&mut self, line: &str) -> String {
        let mut text = String::new();
        let mut word = String::new();
        for letter in line.chars().chain(['\n']) {
            if letter.is_ascii_alphanumeric() || "-+/=".contains(letter) {
                word.push(letter);
                continue;
            }
            if word.len() >= 22 {
                let next = self.0.len();
                let number = *self.0.entry(std::mem::take(&mut word)).or_insert(next);
                write!(text, "<{number}>").ok();
            } else {
                text.push_str(&word);
                word.clear();
            }
            text.push(letter);
        }
        text
    }
}
