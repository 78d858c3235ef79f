//! Client events: each stored exactly once, as it was sent, and told so.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use crate::{
    ask::WHEN,
    history::{Ask, Event, Request},
    store::text,
};

/// The outcome of an event, as its client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    New,
    Duplicate,
    Reused,
    /// Nothing: a failure, or no answer.
    Nothing,
    /// That it may not.
    Refused,
}

struct Sent<'r> {
    number: usize,
    request: &'r Request,
    event: &'r Event,
    told: Told,
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut sent = BTreeMap::<(&str, &str), Vec<Sent<'_>>>::new();
    for (number, request) in evidence.requests() {
        let Ask::ClientEvents { customer, events, .. } = &request.ask else { continue };
        let distinct: BTreeSet<_> = events.iter().map(|event| &event.id).collect();
        let faulty = distinct.len() < events.len();
        evidence.check((request.status() == Some(400)) <= faulty, &[&format!("#{number} ")], || {
            format!("#{number} is not valid, and nothing is wrong with it")
        });
        let told = told(evidence, number, request, events);
        for (event, told) in events.iter().zip(told) {
            sent.entry((customer, &event.id)).or_default().push(Sent { number, request, event, told });
        }
    }
    let mut stored = BTreeMap::new();
    for item in &evidence.client_events {
        let key = (text(item, "customerId").unwrap_or_default(), text(item, "clientEventId").unwrap_or_default());
        stored.insert(key, item);
        evidence
            .check(sent.contains_key(&key), &[key.1], || format!("the event {} is stored, and nobody sent it", key.1));
    }
    for ((customer, id), sent) in &sent {
        let item = stored.get(&(*customer, *id)).copied();
        one(evidence, id, sent, item);
    }
}

/// Reads the outcome of each event from an answer.
fn told(evidence: &Evidence<'_>, number: usize, request: &Request, events: &[Event]) -> Vec<Told> {
    let Some(answer) = &request.answer else { return vec![Told::Nothing; events.len()] };
    let json = answer.json();
    let rejected = crate::store::list(&json["rejected"]);
    let about = format!("#{number} ");
    match answer.status {
        200 => vec![Told::New; events.len()],
        207 | 409 => {
            let all = rejected.len() == events.len();
            let right = !rejected.is_empty() && all == (answer.status == 409);
            evidence
                .check(right, &[&about], || format!("#{number} is {} with {} rejected", answer.status, rejected.len()));
            let of = |event: &Event| match rejected
                .iter()
                .find(|it| it["clientEventId"] == *event.id)
                .map(|it| it["reason"].as_str())
            {
                None => Told::New,
                Some(Some("DUPLICATE_ID")) => Told::Duplicate,
                Some(_) => Told::Reused,
            };
            events.iter().map(of).collect()
        }
        500.. => vec![Told::Nothing; events.len()],
        _ => vec![Told::Refused; events.len()],
    }
}

/// Checks all that was told of one event, against what is stored of it.
fn one(evidence: &Evidence<'_>, id: &str, sent: &[Sent<'_>], item: Option<&serde_json::Value>) {
    let check = |kept, what: &dyn Fn() -> String| evidence.check(kept, &[id], what);
    let new: Vec<_> = sent.iter().filter(|sent| sent.told == Told::New).collect();
    check(new.len() <= 1, &|| format!("the event {id} is answered as new {} times", new.len()));
    let Some(item) = item else {
        if let Some(it) = sent.iter().find(|it| !matches!(it.told, Told::Nothing | Told::Refused)) {
            check(false, &|| format!("the event {id} is not stored, but {:?} by #{}", it.told, it.number));
        }
        return;
    };
    let as_sent = |event: &Event| {
        text(item, "event") == Some(event.name())
            && text(item, "timestamp") == Some(WHEN)
            && text(&item["metadata"]["M"], "serveToken") == Some(event.serve_token().as_str())
    };
    // Either the answer says that it was stored, or there is no answer.
    let may_have_stored = |sent: &Sent<'_>| match new.first() {
        Some(new) => new.number == sent.number || sent.told == Told::Nothing && as_sent(new.event),
        None => sent.told == Told::Nothing,
    };
    let writers: Vec<_> = sent.iter().filter(|sent| may_have_stored(sent) && as_sent(sent.event)).collect();
    check(!writers.is_empty(), &|| format!("the event {id} is stored as nobody can have stored it: {item}"));
    for it in new {
        check(as_sent(it.event), &|| format!("the event {id} is new by #{}, but another content is stored", it.number));
    }
    for it in sent {
        let told_by_another = || {
            writers.iter().any(|writer| writer.number != it.number && writer.request.may_precede_answer_of(it.request))
        };
        match it.told {
            Told::Duplicate => {
                check(as_sent(it.event), &|| format!("the event {id} is a duplicate by #{}, and isn't", it.number));
                check(told_by_another(), &|| {
                    format!(
                        "the event {id} is a duplicate by #{}, which no other request can have stored before",
                        it.number
                    )
                });
            }
            Told::Reused => {
                check(!as_sent(it.event), &|| format!("the event {id} is reused by #{}, but is the same", it.number));
                check(told_by_another(), &|| {
                    format!(
                        "the event {id} is reused by #{}, and no other request can have stored it before",
                        it.number
                    )
                });
            }
            Told::New | Told::Nothing | Told::Refused => {}
        }
    }
}
