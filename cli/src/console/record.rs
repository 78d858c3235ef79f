//! Records as pages show them, and the page of one.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use punchcard_models::{
    fault::Faults,
    ids::{ActivityId, CustomerId, PlayerId},
    json,
    member::MemberId,
    refund::Refunded,
};
use punchcard_store::{
    ActivityRecord, CorrectionContent, Evaluation, HistoryReader, LedgerReader, PlayerRecord, RecordKind,
    StoredActivity, StoredClientEvent, StoredCorrection, StoredPlayerEvents, StoredRecord, StoredRefund, is_given_back,
};

use super::{
    explained::{Occurrence, explained},
    page::{Shell, render},
    problem::Problem,
    request::Visit,
    text::{Moment, address, balance_name},
};
use crate::numbers::signed;

/// A record as pages show it.
#[derive(Debug)]
pub struct RecordView {
    /// The arrival time.
    pub at: Moment,
    /// The kind, as [`StoredRecord::name`] says.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// The action, the names of the events, or the kind of the correction.
    pub title: String,
    /// Further content of the request.
    pub details: Vec<String>,
    /// The changes of balances.
    pub amounts: Vec<Amount>,
    /// The mark of a later correction: `reversed`.
    pub mark: Option<String>,
    /// The page of that correction.
    pub later: Option<String>,
    /// The explanation of its award. `None` if it is not a record that may earn.
    pub awards: Option<Vec<Occurrence>>,
    /// The version of the catalog that evaluated it.
    pub version: Option<u64>,
    /// The page of the record.
    pub address: String,
    /// The member whose balance it changed, or the customer.
    pub member: Option<(String, String)>,
    /// The activity can be voided.
    pub voidable: Option<(String, String)>,
    /// The correlation id of an activity.
    pub correlation: Option<String>,
    /// The page that adjusts a balance by this correlation id, if the page offers it.
    pub adjust: Option<String>,
}

/// A change of a balance.
#[derive(Debug)]
pub struct Amount {
    /// The balance.
    pub balance: String,
    /// The points, with a sign.
    pub points: String,
    /// True if they were taken away.
    pub is_negative: bool,
}

impl Amount {
    fn of(names: impl IntoIterator<Item = (String, i64)>) -> Vec<Self> {
        let amount = |(name, points): (String, i64)| {
            let balance = balance_name(&name).filter(|_| points != 0)?;
            Some(Amount { balance, points: signed(points), is_negative: points < 0 })
        };
        names.into_iter().filter_map(amount).collect()
    }

    fn taken(taken: &BTreeMap<String, u64>) -> Vec<Self> {
        let taken = taken.iter().filter(|(name, _)| is_given_back(name));
        Amount::of(taken.map(|(name, amount)| (name.clone(), -whole(*amount))))
    }
}

/// The time that was sent.
fn at(time: &str) -> String {
    format!("at {}", Moment::new(time).shown)
}

fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

impl RecordView {
    /// Describes a record, and explains its award. `partition` is the customer or player that it belongs to.
    ///
    /// # Errors
    /// The record's catalog cannot be read.
    pub async fn of(record: &StoredRecord, partition: &str, history: &HistoryReader) -> Result<Self, Problem> {
        let kind = record.name();
        let mut view = match record {
            StoredRecord::ClientEvent(event) => of_client_event(event, partition),
            StoredRecord::Activity(ActivityRecord::Activity(activity)) => of_activity(activity),
            StoredRecord::Activity(ActivityRecord::Correction(correction)) => of_correction(correction),
            StoredRecord::Player(PlayerRecord::Request(request)) => of_request(request),
            StoredRecord::Player(PlayerRecord::Refund(refund)) => of_refund(refund),
            StoredRecord::Activity(ActivityRecord::Erased(erased))
            | StoredRecord::Player(PlayerRecord::Erased(erased)) => empty(erased.id.to_string(), ""),
            StoredRecord::ErasedClientEvent => empty(String::new(), ""),
        };
        view.kind = kind;
        if let Some(evaluation) = record.evaluation()? {
            view.version = Some(evaluation.basis.catalog_version);
            view.awards = Some(explained(&evaluation, history).await?);
        }
        Ok(view)
    }

    /// Offers to adjust a balance, if the record has a correlation id.
    pub fn offer_adjustment(&mut self) {
        let correlation = self.correlation.as_deref();
        self.adjust = correlation.map(|correlation| address("/console/adjust", &[("correlation", correlation)]));
    }

    /// The rules that paid, of those that were tried.
    pub fn paid(&self) -> (usize, usize) {
        let rules = || self.awards.iter().flatten().flat_map(|occurrence| &occurrence.rules);
        (rules().filter(|rule| rule.paid > 0).count(), rules().count())
    }
}

fn empty(id: String, received_at: &str) -> RecordView {
    RecordView {
        at: Moment::new(received_at),
        kind: "",
        id,
        title: "Erased".to_owned(),
        details: Vec::new(),
        amounts: Vec::new(),
        mark: None,
        later: None,
        awards: None,
        version: None,
        address: String::new(),
        member: None,
        voidable: None,
        correlation: None,
        adjust: None,
    }
}

fn of_client_event(StoredClientEvent { event, received_at }: &StoredClientEvent, customer: &str) -> RecordView {
    let mut details = vec![event.name.event_type().as_str().to_owned(), at(&event.timestamp.to_string())];
    details.extend(event.metadata.section.as_ref().map(|section| section.as_str().to_owned()));
    details.extend(event.metadata.channel.map(|channel| format!("channel {}", channel.as_str())));
    let id = event.id.to_string();
    RecordView {
        title: event.name.as_str().to_owned(),
        details,
        address: address("/console/record", &[("customer", customer), ("id", &id)]),
        member: Some(("customer".to_owned(), customer.to_owned())),
        ..empty(id, &received_at.to_string())
    }
}

fn of_activity(activity: &StoredActivity) -> RecordView {
    let mut details = vec![format!("channel {}", activity.channel), at(&activity.when)];
    details.extend(activity.business_unit.as_ref().map(|unit| format!("unit {unit}")));
    details.extend(activity.note.clone());
    details.push(format!("correlation {}", activity.correlation_id));
    let earned = activity.balances().unwrap_or_default();
    let ids = (activity.correlation_id.clone(), activity.activity_id.clone());
    RecordView {
        title: activity.action.clone(),
        details,
        amounts: Amount::of(earned.into_iter().map(|(name, points)| (name, whole(points)))),
        mark: activity.reversed_by.as_ref().map(|_| "reversed".to_owned()),
        later: activity.reversed_by.as_ref().map(|by| address("/console/record", &[("activity", by)])),
        address: address("/console/record", &[("activity", &activity.activity_id)]),
        member: member(&activity.member_id),
        voidable: activity.reversed_by.is_none().then_some(ids),
        correlation: Some(activity.correlation_id.clone()),
        ..empty(activity.activity_id.clone(), &activity.received_at)
    }
}

fn of_correction(correction: &StoredCorrection) -> RecordView {
    let (title, mut details, amounts) = match &correction.content {
        CorrectionContent::Reversal { original, taken } => {
            (format!("Reversal of {original}"), Vec::new(), Amount::taken(taken))
        }
        CorrectionContent::Adjustment { unit, points_type, amount, issuer, note } => {
            let details = [format!("by {issuer}")].into_iter().chain(note.clone()).collect();
            let amounts = Amount::of([(format!("pts#{unit}#{points_type}"), *amount)]);
            ("Adjustment".to_owned(), details, amounts)
        }
    };
    details.extend(correction.reference.as_ref().map(|reference| format!("reference {reference}")));
    RecordView {
        title,
        details,
        amounts,
        address: address("/console/record", &[("activity", &correction.id)]),
        member: member(&correction.member_id),
        ..empty(correction.id.clone(), &correction.received_at)
    }
}

fn of_request(request: &StoredPlayerEvents) -> RecordView {
    let events: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&request.events).unwrap_or_default();
    let names: Vec<_> = events.into_iter().map(|(name, _)| name).collect();
    let points = request.totals().unwrap_or_default();
    let mark = request.refunds.last.as_ref().map(|_| match &request.refunds.refunded {
        Refunded::Whole => "refunded".to_owned(),
        Refunded::Part(amount) => format!("{amount} refunded"),
    });
    let later = |id: &String| address("/console/record", &[("player", &request.player_id), ("id", id)]);
    let unused = request.unused.then(|| "the programme was disabled".to_owned());
    RecordView {
        title: if names.is_empty() { "No events".to_owned() } else { names.join(", ") },
        details: unused.into_iter().collect(),
        amounts: Amount::of(points.into_iter().map(|(name, points)| (name, whole(points)))),
        mark,
        later: request.refunds.last.as_ref().map(later),
        address: address("/console/record", &[("player", &request.player_id), ("id", &request.record_id)]),
        member: member(&request.member_id),
        ..empty(request.record_id.clone(), &request.received_at)
    }
}

fn of_refund(refund: &StoredRefund) -> RecordView {
    let amount = refund.amount.as_ref().map_or_else(|| "all that was left".to_owned(), ToString::to_string);
    RecordView {
        title: format!("Refund of {}", refund.order),
        details: vec![amount, at(&refund.time)],
        amounts: Amount::taken(&refund.taken),
        address: address("/console/record", &[("player", &refund.player_id), ("id", &refund.record_id)]),
        member: member(&refund.member_id),
        ..empty(refund.record_id.clone(), &refund.received_at)
    }
}

/// The parameter and the id of a member's page, from its key.
pub fn member(key: &str) -> Option<(String, String)> {
    let (kind, id) = match key.parse().ok()? {
        MemberId::Account(id) => ("account", id.to_string()),
        MemberId::Correlation(id) => ("correlation", id.to_string()),
        MemberId::Player(id) => ("player", id.to_string()),
        MemberId::Erased(_) => return None,
    };
    Some((kind.to_owned(), id))
}

#[derive(Template)]
#[template(path = "console/record.html")]
struct RecordPage {
    shell: Shell,
    view: RecordView,
    /// The page of the record's member.
    owner: Option<(String, String)>,
    /// Every attribute as it is stored.
    stored: String,
    /// The page that voids the activity.
    void: Option<String>,
}

/// The page of a record.
pub async fn record(visit: Visit) -> Result<Response, Problem> {
    let fields = &visit.fields;
    let (kind, partition, id) = if let Some(id) = fields.parsed::<ActivityId>("activity")? {
        (RecordKind::Activities, None, id.to_string())
    } else if let Some(player) = fields.parsed::<PlayerId>("player")? {
        (RecordKind::PlayerEvents, Some(player.to_string()), fields.raw("id").unwrap_or_default().to_owned())
    } else if let Some(customer) = fields.parsed::<CustomerId>("customer")? {
        (RecordKind::ClientEvents, Some(customer.to_string()), fields.raw("id").unwrap_or_default().to_owned())
    } else {
        return Err(Problem::NoPage);
    };
    if id.is_empty() {
        return Err(Problem::NoPage);
    }
    let console = &visit.console;
    let reader = LedgerReader::new(&console.operator.store);
    let found = reader.item(kind, partition.as_deref(), &id).await.map_err(|error| console.explain(error))?;
    let item = found.ok_or_else(|| Problem::NotFound(format!("record {id}")))?;
    let mut view = RecordView::of(&item.record()?, partition.as_deref().unwrap_or_default(), &console.history).await?;
    let owner =
        view.member.as_ref().map(|(kind, id)| (format!("{kind} {id}"), address("/console/member", &[(kind, id)])));
    let void = view.voidable.as_ref().filter(|_| console.writes()).map(|(correlation, activity)| {
        address("/console/void", &[("correlation", correlation), ("activity", activity)])
    });
    if console.writes() {
        view.offer_adjustment();
    }
    let stored = pretty(&item.json());
    Ok(render(&RecordPage { shell: visit.shell(view.title.clone(), "Members"), view, owner, stored, void }))
}

/// Formats JSON with line breaks.
pub fn pretty(json: &str) -> String {
    json::read(json.as_bytes(), &Faults::default()).map_or_else(|| json.to_owned(), |value| format!("{value:#}"))
}

/// The evaluation of a stored record, with its occurrences.
///
/// # Errors
/// There is no such record, or it earns nothing by its kind.
pub async fn evaluation_of(reader: &LedgerReader, fields: &super::request::Fields) -> Result<Evaluation, Problem> {
    let (kind, partition, id) = match (fields.get("record"), fields.get("player")) {
        (Some(id), Some(player)) => (RecordKind::PlayerEvents, Some(player), id),
        (Some(id), None) => (RecordKind::Activities, None, id),
        (None, _) => return Err(Problem::Invalid("Give the id of a record.".to_owned())),
    };
    let found = reader.item(kind, partition, id).await?;
    let item = found.ok_or_else(|| Problem::NotFound(format!("record {id}")))?;
    item.record()?.evaluation()?.ok_or_else(|| Problem::Invalid(format!("Record {id} earns nothing by its kind.")))
}
