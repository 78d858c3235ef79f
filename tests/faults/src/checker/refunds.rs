//! Refunds: each recorded exactly once, and answered the same forever. The books decide what it takes back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Evidence;
use crate::{
    history::{Ask, Request},
    store::text,
};

/// Returns true if a stored refund has the content of a request.
fn has_content_of(item: &Value, ask: &Ask) -> bool {
    let Ask::Refund { player, id, order, amount } = ask else { return false };
    text(item, "playerId") == Some(player)
        && text(item, "recordId") == Some(&format!("refund#{id}"))
        && text(item, "order") == Some(&format!("order#{order}"))
        && text(item, "amount").map(str::to_owned) == amount.map(|amount| amount.to_string())
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut refunds = BTreeMap::new();
    for item in evidence.player_events.iter().filter(|item| !item["kind"].is_null()) {
        let (player, id) = (text(item, "playerId").unwrap_or_default(), text(item, "recordId").unwrap_or_default());
        let matches =
            evidence.requests().any(|(_, request)| request.may_have_stored() && has_content_of(item, &request.ask));
        evidence.check(matches, &[id], || format!("{id} of {player} matches no request: {item}"));
        refunds.insert((player, id), item);
    }
    for (number, request) in evidence.requests() {
        answer(evidence, number, request, &refunds);
    }
}

fn answer(evidence: &Evidence<'_>, number: usize, request: &Request, refunds: &BTreeMap<(&str, &str), &Value>) {
    let Ask::Refund { player, id, order, .. } = &request.ask else { return };
    let Some(answer) = &request.answer else { return };
    let about = [format!("#{number} "), format!("{id}\"")];
    let check = |kept: bool, what: &str| {
        if !kept {
            evidence.wrong(format!("#{number} {what}"), &about);
        }
    };
    let stored = refunds.get(&(player.as_str(), format!("refund#{id}").as_str())).copied();
    let wrote = evidence.history.writes.iter().any(|write| write.request == Some(number));
    check(!wrote || answer.status == 200 || answer.status >= 500, "is refused, and is recorded");
    match answer.status {
        200 => {
            check(stored.is_some_and(|item| has_content_of(item, &request.ask)), "succeeds, and is not recorded");
            let response = stored.and_then(|item| text(item, "response"));
            check(response == Some(&answer.body), "is answered with what is not its response");
            let others = evidence.requests().filter(|(other, it)| *other != number && it.ask == request.ask);
            check(answer.replayed || !others.clone().any(|(_, it)| it.is_new()), "is new a second time");
            let mut earlier = others.filter(|(_, it)| it.may_have_stored() && it.may_precede_answer_of(request));
            check(!answer.replayed || earlier.next().is_some(), "is a replay of nothing");
        }
        404 => {
            let record = format!("order#{order}");
            let placed = evidence.history.writes.iter().find(|write| {
                text(&write.item, "playerId") == Some(player) && text(&write.item, "recordId") == Some(&record)
            });
            check(placed.is_none_or(|write| write.at >= request.sent), "does not find an order that exists");
        }
        422 if answer.json()["code"] == 9004 => {
            check(
                stored.is_some_and(|item| !has_content_of(item, &request.ask)),
                "is refused because of an id that was not used",
            );
        }
        // The books decide if the balance would have fallen below zero.
        _ => {}
    }
}
