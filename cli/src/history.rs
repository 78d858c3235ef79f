//! `punchcard history`: the records of one member or customer, newest first.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, builder::RangedU64ValueParser};
use punchcard_http::cursor;
use punchcard_models::{
    client_event::Channel,
    ids::{AccountId, CorrelationId, CustomerId, PlayerId},
    member::MemberId,
    refund::Refunded,
};
use punchcard_runtime::body::StoredActivityBody;
use punchcard_store::{
    ActivityPages, ActivityRecord, CorrectionContent, ErasedRecord, NewestReader, PlayerRecord, Position,
    SessionReader, StoredActivity, StoredClientEvent, StoredCorrection, StoredPlayerEvents, StoredRefund, taken_json,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::{notice, printable, say},
};

/// Time limit of reading one page.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// List the records of a member or customer, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard history --account A-1001 --stack loyalty\n  \
    punchcard history --player player123 --data .punchcard --limit 5 --json\n\n\
    A correlation id that a session tied to an account lists the account's activities.")]
pub struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Maximum number of records
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    limit: usize,
    /// Continue after the page that printed this cursor
    #[arg(long, value_name = "CURSOR")]
    next: Option<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Activities of an account
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// Activities of a correlation id, or of the account that a session tied it to
    #[arg(long, value_name = "ID")]
    correlation: Option<CorrelationId>,
    /// Activities sent with a correlation id before a session tied it to an account
    #[arg(long, value_name = "ID")]
    before_session: Option<CorrelationId>,
    /// Requests of a player
    #[arg(long, value_name = "ID")]
    player: Option<PlayerId>,
    /// Client events of a customer
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
}

/// Runs the command.
///
/// # Errors
/// The cursor is not valid, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { whose, limit, next, target } = options;
    let next = next.map(|next| cursor::decode(&next).ok_or(Failure::Cursor)).transpose()?;
    let page = Request { limit, next, in_json: target.json };
    target.run(async |operator| list(whose, page, operator).await).await
}

struct Request {
    limit: usize,
    next: Option<String>,
    in_json: bool,
}

impl Request {
    fn after<P: std::str::FromStr>(&self) -> Result<Option<P>, Failure> {
        self.next.as_deref().map(str::parse).transpose().map_err(|_| Failure::Cursor)
    }

    /// Prints the records of a page and the cursor of the next one.
    fn print<T: Record>(&self, records: &[T], next: Option<String>) -> Result<(), Failure> {
        let next = next.map(|position| cursor::encode(&position));
        if self.in_json {
            let records = records.iter().map(Record::body).collect::<Result<_, _>>().map_err(Failure::StoredJson)?;
            let page = serde_json::to_string(&Page { records, next }).map_err(Failure::StoredJson)?;
            say!("{page}");
            return Ok(());
        }
        if records.is_empty() {
            say!("There are no records.");
        }
        for record in records {
            say!("{}", printable(&record.line()));
        }
        if let Some(next) = next {
            notice(format_args!("there are more records: --next {next}"));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Page<B> {
    records: Vec<B>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn list(whose: Whose, page: Request, operator: &Operator) -> Result<(), Failure> {
    match whose {
        Whose { account: Some(account), .. } => activities(&MemberId::Account(account), &page, operator).await,
        Whose { correlation: Some(id), .. } => {
            let owner = SessionReader::new(&operator.store).owner(&id).await?;
            activities(&MemberId::of(owner.as_ref(), &id), &page, operator).await
        }
        Whose { before_session: Some(id), .. } => activities(&MemberId::Correlation(id), &page, operator).await,
        Whose { player: Some(player), .. } => {
            let before = page.after()?;
            let reader = NewestReader::new(&operator.store);
            let reading = reader.player_events(&player, before.as_ref(), page.limit);
            let newest = with_spinner("reading the player's requests", reading).await?;
            page.print(&newest.records, newest.next.map(|next| next.to_string()))
        }
        Whose { customer: Some(customer), .. } => {
            let before = page.after()?;
            let reader = NewestReader::new(&operator.store);
            let reading = reader.client_events(&customer, before.as_ref(), page.limit);
            let newest = with_spinner("reading the customer's events", reading).await?;
            page.print(&newest.records, newest.next.map(|next| next.to_string()))
        }
        // The group requires one of them.
        Whose { account: None, correlation: None, before_session: None, player: None, customer: None } => Ok(()),
    }
}

async fn activities(member: &MemberId, page: &Request, operator: &Operator) -> Result<(), Failure> {
    let after: Option<Position> = page.after()?;
    let pages = ActivityPages::new(&operator.store);
    let reading = pages.page(member, after.as_ref(), page.limit, Instant::now() + READ_LIMIT);
    let found = with_spinner("reading the activities", reading).await?;
    page.print(&found.records, found.next.map(|next| next.to_string()))
}

/// A record that is listed.
trait Record {
    type Body<'r>: Serialize
    where
        Self: 'r;

    fn line(&self) -> String;
    fn body(&self) -> Result<Self::Body<'_>, serde_json::Error>;
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActivityLine<'a> {
    received_at: &'a str,
    correlation_id: &'a str,
    catalog_version: Option<u64>,
    #[serde(flatten)]
    activity: StoredActivityBody<'a>,
}

/// An activity or a correction.
#[derive(Serialize)]
#[serde(untagged)]
enum AnyLine<'a> {
    Activity(ActivityLine<'a>),
    Correction(CorrectionLine<'a>),
    Erased(ErasedLine),
}

#[derive(Serialize)]
#[serde(tag = "kind", rename = "erased")]
struct ErasedLine {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CorrectionLine<'a> {
    received_at: &'a str,
    correlation_id: &'a str,
    transaction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(flatten)]
    content: CorrectionBody<'a>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum CorrectionBody<'a> {
    Reversal {
        activity_id: &'a str,
        taken: &'a BTreeMap<String, u64>,
    },
    Adjustment {
        business_unit: &'a str,
        points_type: &'a str,
        amount: i64,
        issuer_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    },
}

impl Record for ActivityRecord {
    type Body<'r> = AnyLine<'r>;

    fn line(&self) -> String {
        match self {
            ActivityRecord::Activity(activity) => activity.line(),
            ActivityRecord::Correction(correction) => correction.line(),
            ActivityRecord::Erased(ErasedRecord { id, .. }) => format!("{id}  erased"),
        }
    }

    fn body(&self) -> Result<AnyLine<'_>, serde_json::Error> {
        Ok(match self {
            ActivityRecord::Activity(activity) => AnyLine::Activity(activity.body()?),
            ActivityRecord::Correction(correction) => AnyLine::Correction(correction.body()?),
            ActivityRecord::Erased(ErasedRecord { id, .. }) => AnyLine::Erased(ErasedLine { id: id.to_string() }),
        })
    }
}

impl Record for StoredCorrection {
    type Body<'r> = CorrectionLine<'r>;

    fn line(&self) -> String {
        let StoredCorrection { received_at, id, .. } = self;
        match &self.content {
            CorrectionContent::Reversal { original, taken } => {
                format!("{received_at}  {id}  reversal of {original}  {}", taken_json(taken))
            }
            CorrectionContent::Adjustment { unit, points_type, amount, issuer, note } => {
                let note = note.as_deref().unwrap_or_default();
                format!("{received_at}  {id}  adjustment by {issuer}  {unit} {points_type} {amount:+}  {note}")
            }
        }
    }

    fn body(&self) -> Result<CorrectionLine<'_>, serde_json::Error> {
        Ok(CorrectionLine {
            received_at: &self.received_at,
            correlation_id: &self.correlation_id,
            transaction_id: &self.id,
            reference: self.reference.as_deref(),
            content: match &self.content {
                CorrectionContent::Reversal { original, taken } => {
                    CorrectionBody::Reversal { activity_id: original, taken }
                }
                CorrectionContent::Adjustment { unit, points_type, amount, issuer, note } => {
                    CorrectionBody::Adjustment {
                        business_unit: unit,
                        points_type,
                        amount: *amount,
                        issuer_id: issuer,
                        note: note.as_deref(),
                    }
                }
            },
        })
    }
}

impl Record for StoredActivity {
    type Body<'r> = ActivityLine<'r>;

    fn line(&self) -> String {
        let StoredActivity { received_at, activity_id, action, channel, earned, .. } = self;
        let reversed = if self.reversed_by.is_some() { "  reversed" } else { "" };
        format!("{received_at}  {activity_id}  {action}  {channel}  {earned}{reversed}")
    }

    fn body(&self) -> Result<ActivityLine<'_>, serde_json::Error> {
        Ok(ActivityLine {
            received_at: &self.received_at,
            correlation_id: &self.correlation_id,
            catalog_version: self.basis.as_ref().map(|basis| basis.catalog_version),
            activity: StoredActivityBody::of(self)?,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlayerLine<'a> {
    received_at: &'a str,
    record_id: &'a str,
    member_id: &'a str,
    catalog_version: Option<u64>,
    unused: bool,
    events: &'a RawValue,
    earned: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<String>,
}

/// A request or a refund.
#[derive(Serialize)]
#[serde(untagged)]
enum AnyPlayerLine<'a> {
    Request(PlayerLine<'a>),
    Refund(RefundLine<'a>),
    Erased(ErasedLine),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundLine<'a> {
    received_at: &'a str,
    record_id: &'a str,
    member_id: &'a str,
    kind: &'static str,
    order: &'a str,
    transaction_time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a str>,
    refunded_in_all: String,
    taken: &'a BTreeMap<String, u64>,
}

impl Record for PlayerRecord {
    type Body<'r> = AnyPlayerLine<'r>;

    fn line(&self) -> String {
        match self {
            PlayerRecord::Request(request) => request.line(),
            PlayerRecord::Refund(refund) => refund.line(),
            PlayerRecord::Erased(ErasedRecord { id, .. }) => format!("{id}  erased"),
        }
    }

    fn body(&self) -> Result<AnyPlayerLine<'_>, serde_json::Error> {
        Ok(match self {
            PlayerRecord::Request(request) => AnyPlayerLine::Request(request.body()?),
            PlayerRecord::Refund(refund) => AnyPlayerLine::Refund(refund.body()?),
            PlayerRecord::Erased(ErasedRecord { id, .. }) => AnyPlayerLine::Erased(ErasedLine { id: id.to_string() }),
        })
    }
}

impl Record for StoredRefund {
    type Body<'r> = RefundLine<'r>;

    fn line(&self) -> String {
        let StoredRefund { received_at, record_id, order, amount, taken, .. } = self;
        let amount = amount.as_deref().unwrap_or("all that was left");
        format!("{received_at}  {record_id}  refund of {order}  {amount}  {}", taken_json(taken))
    }

    fn body(&self) -> Result<RefundLine<'_>, serde_json::Error> {
        Ok(RefundLine {
            received_at: &self.received_at,
            record_id: &self.record_id,
            member_id: &self.member_id,
            kind: "refund",
            order: &self.order,
            transaction_time: &self.time,
            amount: self.amount.as_deref(),
            refunded_in_all: self.after.to_string(),
            taken: &self.taken,
        })
    }
}

impl Record for StoredPlayerEvents {
    type Body<'r> = PlayerLine<'r>;

    fn line(&self) -> String {
        let StoredPlayerEvents { received_at, record_id, events, earned, refunds, .. } = self;
        let events: BTreeMap<String, &RawValue> = serde_json::from_str(events).unwrap_or_default();
        let names = events.into_keys().collect::<Vec<_>>().join(", ");
        let refunded = match (&refunds.last, &refunds.refunded) {
            (None, _) => String::new(),
            (Some(_), Refunded::Whole) => "  refunded".to_owned(),
            (Some(_), Refunded::Part(amount)) => format!("  {amount} refunded"),
        };
        format!("{received_at}  {record_id}  {names}  {earned}{refunded}")
    }

    fn body(&self) -> Result<PlayerLine<'_>, serde_json::Error> {
        Ok(PlayerLine {
            received_at: &self.received_at,
            record_id: &self.record_id,
            member_id: &self.member_id,
            catalog_version: self.basis.as_ref().map(|basis| basis.catalog_version),
            unused: self.unused,
            events: serde_json::from_str(&self.events)?,
            earned: serde_json::from_str(&self.earned)?,
            refunded: self.refunds.last.as_ref().map(|_| self.refunds.refunded.to_string()),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientEventLine {
    received_at: String,
    client_event_id: String,
    client_event_type: &'static str,
    client_event: &'static str,
    client_event_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
}

impl Record for StoredClientEvent {
    type Body<'r> = ClientEventLine;

    fn line(&self) -> String {
        let StoredClientEvent { event, received_at } = self;
        let name = event.name;
        format!("{received_at}  {}  {}  {}", event.id, name.event_type().as_str(), name.as_str())
    }

    fn body(&self) -> Result<ClientEventLine, serde_json::Error> {
        let event = &self.event;
        Ok(ClientEventLine {
            received_at: self.received_at.to_string(),
            client_event_id: event.id.to_string(),
            client_event_type: event.name.event_type().as_str(),
            client_event: event.name.as_str(),
            client_event_timestamp: event.timestamp.to_string(),
            section: event.metadata.section.as_ref().map(|section| section.as_str().to_owned()),
            channel: event.metadata.channel.map(Channel::as_str),
        })
    }
}
