//! Table `PlayerEvents`: key `playerId`, `recordId`; one item a request: its events, their awards, its response.
//!
//! In table `Members` a player's item has the balance, or names the customer that has it (`customer`); the pointers
//! `mail#` and `mob#` name the customer of an address, by a keyed digest.

use aws_sdk_dynamodb::Client;
use punchcard_models::{
    address::AddressDigest,
    idempotency::{IdempotencyKey, PayloadDigest},
    ids::PlayerId,
    json::{self, Value},
    member::MemberId,
    player_events::PlayerEvents,
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    error::StoreError,
    item::{Attributes as _, Item, b, s},
    ledger::{CUSTOMER, Entry, Expect, Ledger, Place, Record, Written},
    read_items::read_items,
    retry::Retries,
};

const RECORD: &str = "record player events";
const READ: &str = "read a player";
/// A member's totals.
const POINTS: &str = "points";
const EVENTS: &str = "events";

/// A request to record.
#[derive(Debug, Clone, Copy)]
pub struct NewPlayerEvents<'a> {
    /// The parsed request.
    pub request: &'a PlayerEvents,
    /// The address that players are merged by, if the catalog merges them.
    pub address: Option<&'a AddressDigest>,
    /// The Idempotency-Key.
    pub key: Option<&'a IdempotencyKey>,
    /// The request's digest.
    pub payload: PayloadDigest,
    /// Whether the programme is disabled: the events earn nothing, now or later.
    pub unused: bool,
    /// The response body, now and for every retry.
    pub response: &'a str,
    /// The time of arrival.
    pub now: Timestamp,
}

/// The outcome of recording a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerEventsRecorded {
    /// It is stored.
    New,
    /// It was stored before; this is the response it got.
    Replay(String),
    /// Its key was used with another payload.
    KeyReused,
    /// It is larger than an item may be, or uses more total limits than one transaction writes.
    TooLarge,
}

/// Records player events.
#[derive(Debug)]
pub struct PlayerEventWriter {
    ledger: Ledger,
    reads: Client,
    table: String,
    members: String,
}

impl PlayerEventWriter {
    /// A writer to this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let members = store.table("Members");
        let ledger = Ledger::new(store.writes.clone(), members.clone());
        PlayerEventWriter { ledger, reads: store.reads.clone(), table: store.table("PlayerEvents"), members }
    }

    /// Records a request, creates its player if that is new, and books what `evaluate` awards for each event, in one
    /// write.
    ///
    /// # Errors
    /// Of the store. After [`StoreError::OutcomeUnknown`] the request may be stored; otherwise nothing is.
    pub async fn record<'c>(
        &self,
        new: NewPlayerEvents<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Vec<Award<'c>>,
    ) -> Result<PlayerEventsRecorded, StoreError> {
        // One id for all attempts: without an Idempotency-Key nothing else tells a retry from a new request.
        let record_id = match new.key {
            Some(key) => format!("key#{}", &**key),
            None => format!("uuid#{}", Uuid::now_v7()),
        };
        let build = || item(&new, &record_id);
        let record = Record { table: &self.table, key: "recordId", item: &build, write_id: Uuid::new_v4() };
        let events = u64::try_from(new.request.events.len()).unwrap_or(u64::MAX);
        let entry = |usage: &Usage| {
            let awards = evaluate(usage);
            let earned = Item::from([("earned".into(), s(earned_json(new.request, &awards)))]);
            let award: Award<'c> = awards.into_iter().collect();
            let mut adds = vec![(EVENTS.to_owned(), events)];
            if award.points() > 0 {
                adds.push((POINTS.to_owned(), award.points()));
            }
            Entry { earned, award, adds }
        };
        let mut retries = Retries::until(deadline, RECORD);
        let mut place = self.place(&new, deadline, &mut retries).await?;
        loop {
            match self.ledger.write(&record, &place, &mut retries, entry).await? {
                Written::New(_) => return Ok(PlayerEventsRecorded::New),
                Written::Exists(stored) if stored.bytes("payload") == Some(new.payload.as_bytes()) => {
                    let response = stored.text("response").ok_or(StoreError::corrupt(RECORD, "a stored response"))?;
                    return Ok(PlayerEventsRecorded::Replay(response.to_owned()));
                }
                Written::Exists(_) => return Ok(PlayerEventsRecorded::KeyReused),
                Written::TooLarge => return Ok(PlayerEventsRecorded::TooLarge),
                // In the meantime another request created the player or named the address; or the player was merged while
                // the catalog merged players.
                Written::Elsewhere(found) => {
                    if let (None, Some(customer)) = (new.address, found.text(CUSTOMER)) {
                        place.member = customer.to_owned();
                    } else {
                        retries.pause().await?;
                        place = self.place(&new, deadline, &mut retries).await?;
                    }
                }
            }
        }
    }

    /// The place that a request is booked on. Without an address that is the player, and the write itself finds out if it
    /// is an alias of another customer; with one, it takes a read.
    async fn place(
        &self,
        new: &NewPlayerEvents<'_>,
        deadline: Instant,
        retries: &mut Retries,
    ) -> Result<Place, StoreError> {
        let player = player_key(&new.request.player_id);
        let first = Item::from([("createdAt".into(), s(new.now))]);
        let own = Place { member: player.clone(), expect: Expect::NoPointer, first, others: Vec::new() };
        let Some(address) = new.address else { return Ok(own) };
        let address = address.to_string();
        let pointer = |key: &str, customer: &str| {
            Item::from([("memberId".into(), s(key)), (CUSTOMER.into(), s(customer)), ("createdAt".into(), s(new.now))])
        };
        loop {
            let keys = [&player, &address].map(|key| Item::from([("memberId".into(), s(key))]));
            let found = read_items(&self.reads, RECORD, &self.members, keys.into(), deadline).await?;
            let found = |key: &str| found.iter().find(|item| item.text("memberId") == Some(key));
            let customer_of = |item: &Item| item.text(CUSTOMER).map(str::to_owned);
            return Ok(match (found(&player), found(&address).and_then(customer_of)) {
                // A player belongs to its first customer for good; an address of another customer changes nothing.
                (Some(item), named) => {
                    let customer = customer_of(item).unwrap_or(player);
                    let others = if named.is_some() { Vec::new() } else { vec![pointer(&address, &customer)] };
                    Place { member: customer, others, ..own }
                }
                // The read is torn: the address names this very player, which one transaction created with it.
                (None, Some(customer)) if customer == player => {
                    retries.pause().await?;
                    continue;
                }
                (None, Some(customer)) => {
                    let others = vec![pointer(&player, &customer)];
                    Place { member: customer, others, ..own }
                }
                (None, None) => {
                    let others = vec![pointer(&address, &player)];
                    Place { expect: Expect::New, others, ..own }
                }
            });
        }
    }
}

/// A player's totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// The time of its first request, in RFC 3339.
    pub created_at: String,
    /// The points of its customer.
    pub points: u64,
    /// The number of events of its customer.
    pub events: u64,
}

/// Reads players.
#[derive(Debug, Clone)]
pub struct PlayerReader {
    client: Client,
    table: String,
}

impl PlayerReader {
    /// A reader of this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PlayerReader { client: store.reads.clone(), table: store.table("Members") }
    }

    /// A player, if it is known.
    ///
    /// # Errors
    /// Of the store.
    pub async fn get(&self, id: &PlayerId) -> Result<Option<Player>, StoreError> {
        let Some(player) = self.member(&player_key(id)).await? else { return Ok(None) };
        let corrupt = || StoreError::corrupt(READ, "a player");
        let created_at = player.text("createdAt").ok_or_else(corrupt)?.to_owned();
        let customer = match player.text(CUSTOMER) {
            Some(customer) => self.member(customer).await?.ok_or_else(corrupt)?,
            None => player,
        };
        let total = |name: &str| customer.number(name).unwrap_or(0);
        Ok(Some(Player { created_at, points: total(POINTS), events: total(EVENTS) }))
    }

    async fn member(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.table).key("memberId", s(key)).consistent_read(true);
        Ok(read.send().await.map_err(|error| StoreError::read(READ, &error))?.item)
    }
}

fn player_key(id: &PlayerId) -> String {
    MemberId::Player(id.clone()).to_string()
}

fn item(new: &NewPlayerEvents<'_>, record_id: &str) -> Item {
    let mut item = Item::from([
        ("playerId".into(), s(&new.request.player_id)),
        ("recordId".into(), s(record_id)),
        ("events".into(), s(new.request.events_to_json())),
        ("payload".into(), b(new.payload.as_bytes())),
        ("response".into(), s(new.response)),
        ("receivedAt".into(), s(new.now)),
    ]);
    if new.unused {
        item.insert("unused".into(), aws_sdk_dynamodb::types::AttributeValue::Bool(true));
    }
    item
}

/// The awards by event and campaign, `{"place_order":{"BIG_ORDER":50}}`; events that earned nothing are left out.
fn earned_json(request: &PlayerEvents, awards: &[Award<'_>]) -> String {
    let earned = request.events.iter().zip(awards).filter(|(_, award)| award.points() > 0).map(|(event, award)| {
        let paid = award.trace().iter().filter(|line| line.points() > 0);
        let paid = paid.map(|line| ((&**line.rule.id()).into(), json::whole_number(line.points())));
        (event.name.as_str().into(), Value::Object(paid.collect()))
    });
    Value::Object(earned.collect()).to_string()
}
