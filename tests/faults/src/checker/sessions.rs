//! Sessions: a correlation id belongs to one account for good, and an account has one loyalty id.

use std::collections::BTreeMap;

use super::Evidence;
use crate::{
    history::{Ask, Millis},
    store::text,
};

/// The account of each correlation id that has one, and when the session was written.
pub(super) fn ties<'e>(evidence: &'e Evidence<'_>) -> BTreeMap<&'e str, (&'e str, Millis)> {
    let written = evidence.history.writes.iter().filter(|write| write.table == "Sessions");
    written
        .rev()
        .filter_map(|write| {
            let correlation = text(&write.item, "correlationId")?;
            Some((correlation, (text(&write.item, "accountId")?, write.at)))
        })
        .collect()
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let by_key: BTreeMap<_, _> =
        evidence.members.iter().filter_map(|item| Some((text(item, "memberId")?, item))).collect();
    let mut accounts = BTreeMap::new();
    for session in &evidence.sessions {
        let part = |name| text(session, name).unwrap_or_default();
        let (correlation, account, loyalty) = (part("correlationId"), part("accountId"), part("loyaltyId"));
        let known = accounts.insert(account, loyalty);
        evidence.check(known.is_none_or(|known| known == loyalty), &[account], || {
            format!("{account} has two loyalty ids in its sessions")
        });
        let member = by_key.get(format!("acct#{account}").as_str()).copied();
        let named = by_key.get(format!("loy#{loyalty}").as_str()).copied();
        let right = [member, named].iter().all(|item| {
            item.is_some_and(|item| {
                text(item, "accountId") == Some(account) && text(item, "loyaltyId") == Some(loyalty)
            })
        });
        evidence
            .check(right, &[correlation, account], || format!("the session {correlation} isn't {account}'s account"));
    }
    let stored: BTreeMap<_, _> =
        evidence.sessions.iter().filter_map(|item| Some((text(item, "correlationId")?, item))).collect();
    for (number, request) in evidence.requests() {
        let Ask::OpenSession { correlation, identifier, by_loyalty_id } = &request.ask else { continue };
        let session = stored.get(correlation.as_str());
        let about = [correlation.as_str()];
        let asked = if *by_loyalty_id { "loyaltyId" } else { "accountId" };
        match &request.answer {
            Some(answer) if answer.status == 200 => {
                let json = answer.json();
                let same = session.is_some_and(|session| {
                    ["correlationId", "accountId", "loyaltyId"]
                        .iter()
                        .all(|name| text(session, name) == json[*name].as_str())
                });
                evidence.check(same && json[asked] == **identifier, &about, || {
                    format!("#{number} opened a session that is not the one that is stored")
                });
            }
            Some(answer) if answer.status == 409 => {
                let another = session.is_some_and(|session| text(session, asked) != Some(identifier));
                evidence.check(another, &about, || format!("#{number} is a conflict with nothing"));
            }
            // Loyalty ids come from answers only.
            Some(answer) if answer.status == 404 => {
                evidence.wrong(
                    format!("#{number} doesn't know a loyalty id that was given out"),
                    std::slice::from_ref(identifier),
                );
            }
            _ => {}
        }
    }
}
