//! Activities: each recorded exactly once, and answered the same forever.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Evidence, sessions::ties};
use crate::{
    ask::record_id,
    history::{Ask, Request},
    store::text,
};

const EXISTS: &str = "ActivityID already exists";

/// The tag that a stored activity's note has.
fn tag_of(item: &Value) -> Option<u64> {
    text(item, "note")?.strip_prefix("tag ")?.parse().ok()
}

struct Sent<'r> {
    number: usize,
    request: &'r Request,
    tag: u64,
    correlation: &'r str,
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut sent = BTreeMap::<String, Vec<Sent<'_>>>::new();
    let mut keyless = BTreeMap::<u64, Vec<Sent<'_>>>::new();
    for (number, request) in evidence.requests() {
        let Ask::Activity { correlation, id, key, tag, .. } = &request.ask else { continue };
        let it = Sent { number, request, tag: *tag, correlation };
        match record_id(correlation, id.as_ref(), key.as_ref()) {
            Some(id) => sent.entry(id).or_default().push(it),
            None => keyless.entry(*tag).or_default().push(it),
        }
    }
    // Corrections have a kind.
    let activities = evidence.activities.iter().filter(|item| item["kind"].is_null());
    let stored: BTreeMap<_, _> = activities.filter_map(|item| Some((text(item, "activityId")?, item))).collect();
    for (id, item) in &stored {
        let tag = tag_of(item);
        let by_id = sent.get(*id).into_iter().flatten();
        let writer = by_id.chain(tag.and_then(|tag| keyless.get(&tag)).into_iter().flatten()).find(|it| {
            it.request.may_have_stored() && Some(it.tag) == tag && text(item, "correlationId") == Some(it.correlation)
        });
        let as_sent = writer.is_some_and(|it| is_as_sent(item, &it.request.ask));
        evidence.check(as_sent, &[id], || format!("the activity {id} is stored as nobody can have stored it: {item}"));
    }
    for (id, sent) in &sent {
        one(evidence, id, sent, stored.get(id.as_str()).copied());
    }
    for (tag, sent) in &keyless {
        let of_tag = stored.values().filter(|item| tag_of(item) == Some(*tag)).count();
        let new = sent.iter().filter(|it| it.request.is_new()).count();
        // Their clients sent them again only if they were invited to.
        evidence.check(new <= of_tag && of_tag <= 1, &[&format!("tag {tag}\"")], || {
            format!("the activity of tag {tag} without an id is recorded {of_tag} times, answered {new} times")
        });
        for it in sent.iter().filter(|it| it.request.is_new()) {
            let json = it.request.answer.as_ref().map(crate::history::Answer::json).unwrap_or_default();
            let item = json["activityId"].as_str().and_then(|id| stored.get(id).copied());
            let right = item.is_some_and(|item| tag_of(item) == Some(*tag) && tells(&json, item));
            evidence.check(right, &[&format!("tag {tag}\"")], || {
                format!("#{} is answered otherwise than stored", it.number)
            });
        }
    }
    refused(evidence);
    read_back(evidence, &sent, &stored);
    members(evidence);
}

fn is_as_sent(item: &Value, ask: &Ask) -> bool {
    let Ask::Activity { body, .. } = ask else { return false };
    ["when", "action", "channel", "businessUnit", "note"].iter().all(|name| text(item, name) == body[*name].as_str())
}

/// Compares an answer with the stored item.
fn tells(json: &Value, item: &Value) -> bool {
    let earned: Value = text(item, "earned").and_then(|earned| serde_json::from_str(earned).ok()).unwrap_or_default();
    json["activityId"].as_str() == text(item, "activityId")
        && json["type"].as_str() == text(item, "action")
        && json["earned"] == earned
}

/// Checks all that was answered of one activity, against what is stored of it.
fn one(evidence: &Evidence<'_>, id: &str, sent: &[Sent<'_>], item: Option<&Value>) {
    // Keyed ones are told by their key, which stands in the requests.
    let key = sent.first().and_then(|it| match &it.request.ask {
        Ask::Activity { key, .. } => key.clone(),
        _ => None,
    });
    let key = key.unwrap_or_else(|| id.to_owned());
    let words = [format!("{key}\""), id.to_owned()];
    let check = |kept: bool, what: String| {
        if !kept {
            evidence.wrong(what, &words);
        }
    };
    let new = sent.iter().filter(|it| it.request.is_new()).count();
    check(new <= 1, format!("the activity {key} is new {new} times"));
    for it in sent {
        let Some(answer) = &it.request.answer else { continue };
        let number = it.number;
        let json = answer.json();
        // Somebody else must have stored it, before this was answered.
        let others = || {
            sent.iter().any(|other| {
                other.number != number
                    && other.request.may_have_stored()
                    && other.request.may_precede_answer_of(it.request)
            })
        };
        let is_same = item.is_some_and(|item| tag_of(item) == Some(it.tag));
        match answer.status {
            200 => {
                check(item.is_some(), format!("the activity {key} is answered #{number} and not recorded"));
                let right = item.is_some_and(|item| is_same && tells(&json, item));
                check(right, format!("the activity {key} is answered #{number} otherwise than recorded"));
                check(!answer.replayed || others(), format!("#{number} is a replay of nothing"));
            }
            400 if json["errorMessage"] == EXISTS => {
                check(item.is_some(), format!("the activity {key} is there by #{number}, and isn't"));
                check(others(), format!("the activity {key} is there by #{number}, but no other request has that id"));
            }
            422 => {
                check(
                    item.is_some() && !is_same && others(),
                    format!("#{number} is told that {key} is another's, and it isn't"),
                );
            }
            _ => {}
        }
    }
    // One answer for all that were answered.
    let bodies: std::collections::BTreeSet<_> = sent
        .iter()
        .filter_map(|it| it.request.answer.as_ref())
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.body.as_str())
        .collect();
    check(bodies.len() <= 1, format!("the activity {key} got different answers: {bodies:?}"));
}

/// A refusal has a reason.
fn refused(evidence: &Evidence<'_>) {
    for (number, request) in evidence.requests() {
        let (Ask::Activity { body, .. }, Some(answer)) = (&request.ask, &request.answer) else { continue };
        let message = answer.json()["errorMessage"].as_str().unwrap_or_default().to_owned();
        if answer.status != 400 || message == EXISTS {
            continue;
        }
        let unit = body["businessUnit"].as_str().unwrap_or_default();
        let disabled = evidence.rules_for(request, request.ended.unwrap_or(request.sent)).into_iter().any(|rules| {
            serde_json::from_str::<Value>(rules).is_ok_and(|rules| rules["businessUnits"][unit] == "disabled")
        });
        evidence.check(message == "Provided businessUnit is disabled" && disabled, &[&format!("#{number} ")], || {
            format!("#{number} is refused for no reason: {message}")
        });
    }
}

/// An activity is read back as it is stored, and one that was answered is found.
fn read_back(evidence: &Evidence<'_>, sent: &BTreeMap<String, Vec<Sent<'_>>>, stored: &BTreeMap<&str, &Value>) {
    for (number, request) in evidence.requests() {
        let Ask::ReadActivity { correlation, id } = &request.ask else { continue };
        let Some(answer) = &request.answer else { continue };
        let item = stored.get(id.as_str()).filter(|item| text(item, "correlationId") == Some(correlation));
        let json = answer.json();
        match answer.status {
            200 => {
                let right = item.is_some_and(|item| {
                    tells(&json, item)
                        && ["action", "channel", "when", "businessUnit", "note"]
                            .iter()
                            .all(|name| *name == "note" || text(item, name) == json[*name].as_str())
                        && text(item, "note") == json["note"].as_str()
                });
                evidence
                    .check(right, &[id], || format!("#{number} reads the activity {id} otherwise than it is recorded"));
            }
            404 => {
                let known =
                    sent.get(id).into_iter().flatten().any(|it| {
                        it.correlation == *correlation && it.request.is_new() && it.request.precedes(request)
                    });
                evidence
                    .check(!known, &[id], || format!("#{number} doesn't find the activity {id}, which was answered"));
            }
            _ => {}
        }
    }
}

/// An activity belongs to the account of its correlation id, from when that has one.
fn members(evidence: &Evidence<'_>) {
    let ties = ties(evidence);
    let written = evidence.history.writes.iter().filter(|write| write.table == "Activities");
    // A reversal is booked with the member of its activity.
    for write in written.filter(|write| text(&write.item, "kind") != Some("reversal")) {
        let (Some(correlation), Some(member), Some(id)) =
            (text(&write.item, "correlationId"), text(&write.item, "memberId"), text(&write.item, "activityId"))
        else {
            continue;
        };
        let Some(sent) = write.request.map(|number| evidence.history.requests[number].sent) else { continue };
        let own = format!("corr#{correlation}");
        let right = match ties.get(correlation) {
            Some((account, at)) => {
                let accounts = format!("acct#{account}");
                (member == accounts && *at <= write.at) || (member == own && *at >= sent)
            }
            None => member == own,
        };
        evidence.check(right, &[id, correlation], || format!("{id} is booked with {member}"));
    }
}
