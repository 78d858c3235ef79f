//! Player events: each request recorded exactly once, answered the same forever, its player made and merged.

use std::collections::BTreeMap;

use punchcard_models::ids;
use serde_json::{Value, json};

use super::Evidence;
use crate::{
    history::{Ask, Request},
    store::text,
};

struct Sent<'r> {
    number: usize,
    request: &'r Request,
    tag: u64,
}

/// The tag that each of a record's events has.
fn tag_of(item: &Value) -> Option<u64> {
    let events: Value = serde_json::from_str(text(item, "events")?).ok()?;
    events.as_object()?.values().next()?["tag"].as_u64()
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut keyed = BTreeMap::<(&str, String), Vec<Sent<'_>>>::new();
    let mut keyless = BTreeMap::<(&str, u64), Vec<Sent<'_>>>::new();
    for (number, request) in evidence.requests() {
        if let Ask::SavePlayer { player, .. } = &request.ask {
            saved(evidence, number, request, player);
        }
        let Ask::PlayerEvents { player, id, tag, .. } = &request.ask else { continue };
        let it = Sent { number, request, tag: *tag };
        match id {
            Some(id) => keyed.entry((player, id.clone())).or_default().push(it),
            None => keyless.entry((player, *tag)).or_default().push(it),
        }
    }
    let mut stored = BTreeMap::new();
    let mut counted = BTreeMap::<(&str, u64), usize>::new();
    for item in evidence.player_events.iter().filter(|item| item["kind"].is_null()) {
        let (Some(player), Some(id), Some(tag)) = (text(item, "playerId"), text(item, "recordId"), tag_of(item)) else {
            evidence.wrong(format!("a record can't be read: {item}"), &[]);
            continue;
        };
        let mut writers = keyed.get(&(player, id.to_owned())).into_iter().flatten();
        if id.starts_with("uuid#") {
            *counted.entry((player, tag)).or_default() += 1;
            let known = keyless.get(&(player, tag)).into_iter().flatten().any(|it| is_as_sent(item, &it.request.ask));
            evidence.check(known, &[player], || format!("{item} is stored, and nobody sent it"));
        } else {
            let known =
                writers.any(|it| it.tag == tag && it.request.may_have_stored() && is_as_sent(item, &it.request.ask));
            evidence.check(known, &[player, id], || format!("{id} of {player} matches no request"));
            stored.insert((player, id.to_owned()), (tag, text(item, "response").unwrap_or_default()));
        }
    }
    for ((player, id), sent) in &keyed {
        one(evidence, player, id, sent, stored.get(&(*player, id.clone())).copied());
    }
    for ((player, tag), sent) in &keyless {
        let new = sent.iter().filter(|it| it.request.is_new()).count();
        let count = counted.get(&(*player, *tag)).copied().unwrap_or(0);
        // Their clients sent them again only if they were invited to.
        evidence.check(new <= count && count <= 1, &[&format!("tag: {tag},")], || {
            format!("the events of tag {tag} without a key are recorded {count} times, answered {new} times")
        });
    }
}

fn is_as_sent(item: &Value, ask: &Ask) -> bool {
    let Ask::PlayerEvents { body, .. } = ask else { return false };
    let stored = |name: &str| text(item, name).and_then(|stored| serde_json::from_str::<Value>(stored).ok());
    let (events, response) = (stored("events"), stored("response"));
    let Some(order) = body.get("orderId") else {
        return events.as_ref() == Some(&body["events"]) && response == Some(json!({}));
    };
    let mut members = body.clone();
    if let Some(members) = members.as_object_mut() {
        members.retain(|name, _| !["playerUniqueId", "customerId", "email", "mobile"].contains(&name.as_str()));
    }
    let campaigns = stored("earned").unwrap_or_default();
    let points: u64 =
        campaigns["place_order"].as_object().into_iter().flatten().filter_map(|(_, paid)| paid.as_u64()).sum();
    events == Some(json!({"place_order": members}))
        && response.is_some_and(|response| response["orderId"] == *order && response["rewardedPoints"] == points)
}

/// A player that was saved exists, and its number is always the same.
fn saved(evidence: &Evidence<'_>, number: usize, request: &Request, player: &str) {
    let Some(answer) = request.answer.as_ref().filter(|answer| answer.status == 200) else { return };
    let key = format!("player#{player}");
    let exists = evidence.members.iter().any(|member| text(member, "memberId") == Some(&key));
    let is_number = answer.json()["gameballId"] == ids::number_of(player);
    evidence.check(exists && is_number, &[&format!("#{number} "), player], || {
        format!("#{number} is answered {}, and {player} exists: {exists}", answer.body)
    });
}

fn one(evidence: &Evidence<'_>, player: &str, id: &str, sent: &[Sent<'_>], stored: Option<(u64, &str)>) {
    let (stored, response) = (stored.map(|(tag, _)| tag), stored.map(|(_, response)| response));
    let words = [id.split_once('#').map_or(id, |(_, id)| id).to_owned() + "\""];
    let check = |kept: bool, what: String| {
        if !kept {
            evidence.wrong(what, &words);
        }
    };
    let new = sent.iter().filter(|it| it.request.is_new()).count();
    check(new <= 1, format!("{id} of {player} is new {new} times"));
    for it in sent {
        let Some(answer) = &it.request.answer else { continue };
        let number = it.number;
        let others = || {
            sent.iter().any(|other| {
                other.number != number
                    && other.request.may_have_stored()
                    && other.request.may_precede_answer_of(it.request)
            })
        };
        match answer.status {
            200 => {
                check(
                    stored == Some(it.tag),
                    format!("#{number} is answered, and {id} of {player} is not recorded so"),
                );
                let right =
                    if id.starts_with("order#") { Some(answer.body.as_str()) == response } else { answer.body == "{}" };
                check(right, format!("#{number} is answered {}", answer.body));
                check(!answer.replayed || others(), format!("#{number} is a replay of nothing"));
            }
            422 => {
                let another = stored.is_some_and(|tag| tag != it.tag);
                check(
                    another && others(),
                    format!("#{number} is told that {id} of {player} is another's, and it isn't"),
                );
            }
            _ => {}
        }
    }
}
