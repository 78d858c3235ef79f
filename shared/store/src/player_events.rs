//! Table `PlayerEvents`, key `playerId`, `recordId`: one item per request, with its events, their awards and its
//! response. An order is a request whose only event is `place_order`.

use aws_sdk_dynamodb::types::AttributeValue;
use punchcard_models::{
    address::AddressDigest,
    erasure::ErasureKey,
    idempotency::{IdempotencyKey, PayloadDigest},
    ids::{OrderId, PlayerId},
    json::{self, Value},
    player_events::{PlayerEvent, PlayerEvents},
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    error::StoreError,
    evaluation::{self, Basis, Evaluation, StoredOccurrence, StoredTrigger},
    item::{Attributes as _, Item, b, s},
    ledger::{CUSTOMER, Entry, Ledger, Mode, Record, Written},
    players::{POINTS, PlayerResolver, player_key},
    refunds::OrderRefunds,
    retry::Retries,
    tombstones::Tombstones,
};

const RECORD: &str = "record player events";
const READ: &str = "read player events";

/// A request to record.
#[derive(Debug, Clone, Copy)]
pub struct NewPlayerEvents<'a> {
    /// The parsed request.
    pub request: &'a PlayerEvents,
    /// The digest of the address by which players are merged, if the catalog merges them.
    pub address: Option<&'a AddressDigest>,
    /// The id that makes the request unique.
    pub id: RequestId<'a>,
    /// The request's digest.
    pub payload: PayloadDigest,
    /// True if rewards are disabled. The events earn nothing, now or later.
    pub unused: bool,
    /// The version of the catalog that evaluates the events.
    pub catalog_version: u64,
    /// The arrival time.
    pub now: Timestamp,
    /// The key for digests of erased ids, if requests were erased.
    pub erasure: Option<ErasureKey>,
}

/// The id that makes a request unique among its player's.
#[derive(Debug, Clone, Copy)]
pub enum RequestId<'a> {
    /// An Idempotency-Key.
    Key(&'a IdempotencyKey),
    /// The id of an order.
    Order(&'a OrderId),
    /// None: every request is a new one.
    None,
}

/// The evaluated content of a request.
#[derive(Debug)]
pub struct Evaluated<'c> {
    /// One award for each event.
    pub awards: Vec<Award<'c>>,
    /// The response body, which retries get too.
    pub response: String,
}

/// The outcome of recording a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerEventsRecorded {
    /// The request was recorded.
    New {
        /// The response body.
        response: String,
        /// The award as JSON: event → campaign → points.
        earned: String,
        /// The catalog version and counters that determined the award.
        basis: Basis,
    },
    /// The request was already recorded. Carries its response.
    Replay(String),
    /// The id was used with another payload, or the request was erased.
    KeyReused,
    /// The request exceeds DynamoDB's item size, or its awards spend more total limits than one transaction can write.
    TooLarge,
}

/// Records player events.
#[derive(Debug)]
pub struct PlayerEventWriter {
    ledger: Ledger,
    players: PlayerResolver,
    tombstones: Tombstones,
    table: String,
}

impl PlayerEventWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let (ledger, players) = (Ledger::new(store), PlayerResolver::new(store));
        PlayerEventWriter {
            ledger,
            players,
            tombstones: Tombstones::new(store, "PlayerEvents"),
            table: store.table("PlayerEvents"),
        }
    }

    /// Records a request and credits the awards that `evaluate` computes for its events, in one write; or previews that.
    /// The record alone makes a player that is known by it. An address is added in the same write.
    ///
    /// # Errors
    /// The store call failed. After [`StoreError::OutcomeUnknown`] the request may be stored; otherwise nothing is.
    pub async fn record<'c>(
        &self,
        mode: Mode,
        new: NewPlayerEvents<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Evaluated<'c>,
    ) -> Result<PlayerEventsRecorded, StoreError> {
        // All attempts use the same id, so that a repeated attempt is not recorded twice.
        let record_id = match new.id {
            RequestId::Key(key) => format!("key#{}", &**key),
            RequestId::Order(order) => order_record_id(order),
            RequestId::None => format!("uuid#{}", Uuid::now_v7()),
        };
        // A generated id was never used.
        let erasure = new.erasure.as_ref().filter(|_| !matches!(new.id, RequestId::None));
        if self.tombstones.has_request(RECORD, erasure, &new.request.player.id, &record_id).await? {
            return Ok(PlayerEventsRecorded::KeyReused);
        }
        let write_id = Uuid::new_v4();
        let entry = |usage: &Usage| entry(&new, evaluate(usage));
        let mut retries = Retries::until(deadline, RECORD);
        let (player, address) = (&new.request.player.id, new.address);
        let mut target = self.players.target(player, address, new.now, &mut retries).await?;
        loop {
            let build = || item(&new, &record_id, &target.member);
            let record = Record { table: &self.table, key: &["playerId", "recordId"], item: &build, write_id };
            match self.ledger.run(mode, &record, &target, &mut retries, entry).await? {
                Written::New(attributes) => {
                    let text = |name: &str| attributes.text(name).map(str::to_owned);
                    let corrupt = StoreError::corrupt(RECORD, "an award");
                    let (Some(response), Some(earned)) = (text("response"), text("earned")) else {
                        return Err(corrupt);
                    };
                    let basis = Basis::read(&attributes)?.ok_or(corrupt)?;
                    return Ok(PlayerEventsRecorded::New { response, earned, basis });
                }
                Written::Exists(stored) if stored.bytes("payload") == Some(new.payload.as_bytes()) => {
                    let response = stored.text("response").ok_or(StoreError::corrupt(RECORD, "a stored response"))?;
                    return Ok(PlayerEventsRecorded::Replay(response.to_owned()));
                }
                Written::Exists(_) => return Ok(PlayerEventsRecorded::KeyReused),
                Written::TooLarge => return Ok(PlayerEventsRecorded::TooLarge),
                // A concurrent request created the player or the address, or the player is an alias from a time when
                // the catalog merged players.
                Written::MemberChanged(found) => {
                    if let (None, Some(customer)) = (new.address, found.text(CUSTOMER)) {
                        target.member = customer.to_owned();
                    } else {
                        retries.pause().await?;
                        let found = self.players.target(player, address, new.now, &mut retries).await;
                        target = found.map_err(|error| retries.outcome_of(error))?;
                    }
                }
            }
        }
    }
}

/// Returns the record id of an order among its player's.
pub(crate) fn order_record_id(order: &OrderId) -> String {
    format!("order#{order}")
}

/// A stored request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlayerEvents {
    /// The player, as sent.
    pub player_id: String,
    /// The record's id among the player's: `key#…` from an Idempotency-Key, `order#…` from an order's id, or `uuid#…`.
    pub record_id: String,
    /// The key of the member that was credited.
    pub member_id: String,
    /// The events as JSON: name → metadata.
    pub events: String,
    /// The award as JSON: event → campaign → points.
    pub earned: String,
    /// True if rewards were disabled.
    pub unused: bool,
    /// The arrival time, in RFC 3339.
    pub received_at: String,
    /// The catalog version and counters that determined the award. `None` for requests recorded by version 0.1.0.
    pub basis: Option<Basis>,
    /// The refunds, if the request is an order.
    pub refunds: OrderRefunds,
}

impl StoredPlayerEvents {
    /// Returns the input of the request's evaluation, one occurrence for each event, or `None` if the request was
    /// recorded by version 0.1.0.
    ///
    /// # Errors
    /// The request cannot be read.
    pub fn evaluation(&self) -> Result<Option<Evaluation>, StoreError> {
        let Some(basis) = &self.basis else { return Ok(None) };
        let read = || {
            let at = Timestamp::from_text(&self.received_at)?;
            let occurrence = |event: PlayerEvent| StoredOccurrence {
                trigger: StoredTrigger::Event(event.name),
                channel: None,
                business_unit: None,
                at,
                received_at: at,
                data: event.metadata,
            };
            let events = PlayerEvent::list_from_json(&self.events)?;
            let occurrences = events.into_iter().map(occurrence).collect();
            Some(Evaluation { basis: basis.clone(), account: None, loyalty_id: None, occurrences })
        };
        read().map(Some).ok_or(StoreError::corrupt(READ, "stored player events"))
    }

    /// Returns the totals of the member that a request with so many points adds to, by attribute name.
    #[must_use]
    pub fn totals_of(points: u64) -> Vec<(String, u64)> {
        if points > 0 { vec![(POINTS.to_owned(), points)] } else { Vec::new() }
    }

    /// Returns the totals that the stored award added to, or `None` if it cannot be read.
    #[must_use]
    pub fn totals(&self) -> Option<Vec<(String, u64)>> {
        let earned: serde_json::Value = serde_json::from_str(&self.earned).ok()?;
        let mut points = 0;
        for campaigns in earned.as_object()?.values() {
            for paid in campaigns.as_object()?.values() {
                points += paid.as_u64()?;
            }
        }
        Some(Self::totals_of(points))
    }

    /// Formats the awards of this request's events as they are stored in [`earned`](Self::earned).
    #[must_use]
    pub fn earned_of(evaluation: &Evaluation, awards: &[Award<'_>]) -> String {
        earned_by_event(evaluation.occurrences.iter().map(StoredOccurrence::name), awards)
    }

    pub(crate) fn read(item: &Item) -> Option<Self> {
        let text = |name: &str| item.text(name).map(str::to_owned);
        let player_id: PlayerId = item.text("playerId")?.parse().ok()?;
        Some(StoredPlayerEvents {
            member_id: text(CUSTOMER).unwrap_or_else(|| player_key(&player_id)),
            player_id: player_id.to_string(),
            record_id: text("recordId")?,
            events: text("events")?,
            earned: text("earned")?,
            unused: item.contains_key("unused"),
            received_at: text("receivedAt")?,
            basis: Basis::read(item).ok()?,
            refunds: OrderRefunds::read(item)?,
        })
    }
}

/// Turns the awards of a request's events into the attributes and the additions of one attempt.
fn entry<'c>(new: &NewPlayerEvents<'_>, Evaluated { awards, response }: Evaluated<'c>) -> Entry<'c> {
    let names = new.request.events.iter().map(|event| event.name.as_str());
    let earned = s(earned_by_event(names, &awards));
    let award: Award<'c> = awards.into_iter().collect();
    let mut attributes = evaluation::attributes(new.catalog_version, &award);
    attributes.insert("earned".into(), earned);
    attributes.insert("response".into(), s(response));
    let adds = StoredPlayerEvents::totals_of(award.points());
    Entry { earned: attributes, award, adds }
}

fn item(new: &NewPlayerEvents<'_>, record_id: &str, credited: &str) -> Item {
    let mut item = Item::from([
        ("playerId".into(), s(&new.request.player.id)),
        ("recordId".into(), s(record_id)),
        ("events".into(), s(new.request.events_to_json())),
        ("payload".into(), b(new.payload.as_bytes())),
        ("receivedAt".into(), s(new.now)),
    ]);
    if new.unused {
        item.insert("unused".into(), AttributeValue::Bool(true));
    }
    if credited != player_key(&new.request.player.id) {
        item.insert(CUSTOMER.into(), s(credited));
    }
    item
}

/// Formats the awards by event and campaign, such as `{"place_order":{"BIG_ORDER":50}}`, without events that earned
/// nothing.
fn earned_by_event<'e>(names: impl Iterator<Item = &'e str>, awards: &[Award<'_>]) -> String {
    let earned = names.zip(awards).filter(|(_, award)| award.points() > 0).map(|(name, award)| {
        let paid = award.trace().iter().filter(|line| line.points() > 0);
        let paid = paid.map(|line| ((&**line.rule.id()).into(), json::whole_number(line.points())));
        (name.into(), Value::Object(paid.collect()))
    });
    Value::Object(earned.collect()).to_string()
}
