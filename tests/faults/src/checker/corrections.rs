//! Corrections: each recorded exactly once, and an activity is reversed once at most.

use std::collections::BTreeMap;

use punchcard_models::{
    correction::{Adjustment, Reversal},
    ids::CorrelationId,
};
use serde_json::Value;

use super::Evidence;
use crate::{
    history::{Ask, Request},
    store::text,
};

const REFERENCE_REUSED: &str = "ExternalReferenceID was used for another correction";

/// The id under which a correction is recorded, if it has one before.
fn record_id(ask: &Ask) -> Option<String> {
    let of = |correlation: &str| correlation.parse::<CorrelationId>().ok();
    match ask {
        Ask::Void { correlation, original, reference: Some(reference) } => {
            let reversal =
                Reversal { original: original.parse().ok()?, reference: Some(reference.clone()), channel: None };
            Some(reversal.id(&of(correlation)?).to_string())
        }
        Ask::Adjust { correlation, reference, amount } => {
            let adjustment = Adjustment {
                channel: String::new(),
                unit: String::new(),
                points_type: String::new(),
                amount: *amount,
                issuer: String::new(),
                reference: reference.clone(),
                note: None,
            };
            Some(adjustment.id(&of(correlation)?).to_string())
        }
        _ => None,
    }
}

/// Returns true if a stored correction has the content of a request.
fn has_content_of(item: &Value, ask: &Ask) -> bool {
    match ask {
        Ask::Void { correlation, original, reference } => {
            text(item, "kind") == Some("reversal")
                && text(item, "correlationId") == Some(correlation)
                && text(item, "original") == Some(original)
                && text(item, "reference") == reference.as_deref()
        }
        Ask::Adjust { correlation, reference, amount } => {
            text(item, "kind") == Some("adjustment")
                && text(item, "correlationId") == Some(correlation)
                && text(item, "reference") == Some(reference)
                && item["amount"]["N"].as_str().and_then(|text| text.parse().ok()) == Some(*amount)
        }
        _ => false,
    }
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let id_of = |item: &Value| text(item, "activityId").unwrap_or_default().to_owned();
    let (activities, corrections): (Vec<_>, Vec<_>) =
        evidence.activities.iter().partition(|item| item["kind"].is_null());
    let activities: BTreeMap<_, _> = activities.into_iter().map(|item| (id_of(item), item)).collect();
    let corrections: BTreeMap<_, _> = corrections.into_iter().map(|item| (id_of(item), item)).collect();

    let mut reversals = BTreeMap::<&str, Vec<&str>>::new();
    for (id, item) in &corrections {
        let matches =
            evidence.requests().any(|(_, request)| request.may_have_stored() && has_content_of(item, &request.ask));
        evidence.check(matches, &[id], || format!("the correction {id} matches no request: {item}"));
        if let Some(original) = text(item, "original") {
            reversals.entry(original).or_default().push(id);
            let same = activities.get(original).is_some_and(|activity| {
                ["correlationId", "memberId"].iter().all(|name| activity[*name] == item[*name])
            });
            evidence.check(same, &[original], || format!("{id} reverses the activity {original} of another member"));
        }
    }
    for (original, by) in &reversals {
        evidence
            .check(by.len() == 1, &[original], || format!("the activity {original} is reversed {} times", by.len()));
    }
    for (id, item) in &activities {
        let by = reversals.get(id.as_str()).and_then(|by| by.first()).copied();
        evidence.check(text(item, "reversedBy") == by, &[id], || {
            format!("the activity {id} is marked as reversed by {:?}, and is by {by:?}", text(item, "reversedBy"))
        });
    }
    for (number, request) in evidence.requests() {
        answer(evidence, number, request, &activities, &corrections);
    }
}

fn answer(
    evidence: &Evidence<'_>,
    number: usize,
    request: &Request,
    activities: &BTreeMap<String, &Value>,
    corrections: &BTreeMap<String, &Value>,
) {
    let (word, own) = match &request.ask {
        Ask::Void { original, .. } => (original, record_id(&request.ask)),
        Ask::Adjust { reference, .. } => (reference, record_id(&request.ask)),
        _ => return,
    };
    let Some(answer) = &request.answer else { return };
    let json = answer.json();
    let about = [format!("#{number} "), word.clone()];
    let check = |kept: bool, what: &str| {
        if !kept {
            evidence.wrong(format!("#{number} {what}"), &about);
        }
    };
    let message = json["errorMessage"].as_str().unwrap_or_default();
    let wrote = evidence.history.writes.iter().any(|write| write.request == Some(number));
    check(!wrote || answer.status == 200 || answer.status >= 500, "is refused, and is recorded");
    match answer.status {
        200 => {
            let id = json["transactionId"].as_str().unwrap_or_default();
            let right = corrections.get(id).is_some_and(|item| has_content_of(item, &request.ask));
            check(right, "succeeds, and its correction is not recorded");
            check(own.as_deref().is_none_or(|own| own == id), "returns an id that is not derived from its reference");
            let others = evidence.requests().filter(|(other, it)| *other != number && it.ask == request.ask);
            let new = others.clone().filter(|(_, it)| own.is_some() && it.is_new()).count();
            check(answer.replayed || new == 0, "is new a second time");
            let mut earlier = others.filter(|(_, it)| it.may_have_stored() && it.may_precede_answer_of(request));
            check(!answer.replayed || earlier.next().is_some(), "is a replay of nothing");
        }
        400 => {
            let by = message.strip_prefix("The activity is already reversed, by ").unwrap_or_default();
            let reversal = corrections.get(by).and_then(|item| text(item, "original"));
            check(reversal == Some(word), "is refused because of a reversal that does not exist");
            check(own.as_deref() != Some(by), "is refused because of its own correction");
        }
        404 => {
            let Ask::Void { correlation, original, .. } = &request.ask else { return };
            let known = activities.get(original).filter(|item| text(item, "correlationId") == Some(correlation));
            let written =
                evidence.history.writes.iter().find(|write| text(&write.item, "activityId") == Some(original));
            let before = known.is_some() && written.is_some_and(|write| write.at < request.sent);
            check(!before, "does not find an activity that exists");
        }
        409 if message == REFERENCE_REUSED => {
            let other = own.and_then(|own| corrections.get(&own));
            check(
                other.is_some_and(|item| !has_content_of(item, &request.ask)),
                "is refused because of a reference that was not used",
            );
        }
        // The books decide if a balance would have fallen below zero.
        _ => {}
    }
}
