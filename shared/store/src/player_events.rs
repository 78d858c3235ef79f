//! Table `PlayerEvents`: key `playerId`, `recordId`; one item a request: its events, what each earned, its response.
//!
//! In table `Members` a player's item has the balance, or names the customer that has it (`customer`); the pointers
//! `mail#` and `mob#` name the customer of an address, by a keyed digest.

use aws_sdk_dynamodb::Client;
use punchcard_models::{
    idempotency::{IdempotencyKey, PayloadDigest},
    ids::PlayerId,
    json::{self, Value},
    member::MemberId,
    player_events::{AddressDigest, PlayerEvents},
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    item::{Attributes as _, Item, b, s},
    ledger::{CUSTOMER, Entry, Expect, Ledger, Place, Record, Written},
    outage::Outage,
    read_items::read_items,
    retry::Retries,
};

const RECORD: &str = "record player events";
const READ: &str = "read a player";
/// A member's points and events, as totals.
const POINTS: &str = "points";
const EVENTS: &str = "events";
/// The most bytes that an item may have (400 KB), less what is added to it here.
const MAX_ITEM: usize = 400 * 1024 - 1024;

/// A request to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewPlayerEvents<'a> {
    /// What was sent.
    pub request: &'a PlayerEvents,
    /// The address by which the player is merged, where players are.
    pub address: Option<&'a AddressDigest>,
    /// The request's own name, if it has one.
    pub key: Option<&'a IdempotencyKey>,
    /// Of what was sent.
    pub payload: PayloadDigest,
    /// Whether the programme was disabled, so that the events never count.
    pub unused: bool,
    /// What is answered, now and to every retry.
    pub response: &'a str,
    /// When it came.
    pub now: Timestamp,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerEventsRecorded {
    /// It is stored.
    New,
    /// It was stored before, and was answered with this.
    Replay(String),
    /// Its key belongs to another payload.
    KeyReused,
    /// It is more than the store can hold in one item.
    TooLarge,
}

/// The player events, to record some.
#[derive(Debug)]
pub struct PlayerEventLog {
    ledger: Ledger,
    client: Client,
    table: String,
    members: String,
}

impl PlayerEventLog {
    pub(crate) fn new(client: Client, table: String, members: String) -> Self {
        PlayerEventLog { ledger: Ledger::new(client.clone(), members.clone()), client, table, members }
    }

    /// Records a request, makes its player if that is new, and books what `evaluate` gives for each event, in one
    /// write.
    ///
    /// # Errors
    /// The store could not be used. Nothing is stored, or all of it is.
    pub async fn record<'c>(
        &self,
        new: NewPlayerEvents<'_>,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Vec<Award<'c>>,
    ) -> Result<PlayerEventsRecorded, Outage> {
        let record = Record { table: &self.table, key: "recordId", item: item(&new), write_id: Uuid::new_v4() };
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
        if size(&record.item) + size(&entry(&Usage::default()).earned) > MAX_ITEM {
            return Ok(PlayerEventsRecorded::TooLarge);
        }
        let mut place = self.place(&new, deadline).await?;
        let mut retries = Retries::until(deadline, RECORD);
        loop {
            match self.ledger.write(RECORD, record.clone(), &place, deadline, entry).await? {
                Written::New(_) => return Ok(PlayerEventsRecorded::New),
                Written::Exists(stored) if stored.bytes("payload") == Some(new.payload.as_bytes()) => {
                    let response = stored.text("response").ok_or(Outage::unreadable(RECORD, "a stored response"))?;
                    return Ok(PlayerEventsRecorded::Replay(response.to_owned()));
                }
                Written::Exists(_) => return Ok(PlayerEventsRecorded::KeyReused),
                Written::TooLarge => return Ok(PlayerEventsRecorded::TooLarge),
                // Somebody else made the player, or named the address, in the meantime; or the player was merged
                // while players were.
                Written::Elsewhere(found) => {
                    if let (None, Some(customer)) = (new.address, found.text(CUSTOMER)) {
                        place.member = customer.to_owned();
                    } else {
                        retries.pause().await?;
                        place = self.place(&new, deadline).await?;
                    }
                }
            }
        }
    }

    /// Where a request is booked. Without an address that is the player, which is found to be another customer's name
    /// by the write itself; with one it takes a read.
    async fn place(&self, new: &NewPlayerEvents<'_>, deadline: Instant) -> Result<Place, Outage> {
        let player = player_key(&new.request.player_id);
        let first = Item::from([("createdAt".into(), s(new.now))]);
        let own = Place { member: player.clone(), expect: Expect::NoPointer, first, others: Vec::new() };
        let Some(address) = new.address else { return Ok(own) };
        let address = address.to_string();
        let keys = [&player, &address].map(|key| Item::from([("memberId".into(), s(key))]));
        let found = read_items(&self.client, RECORD, &self.members, keys.into(), deadline).await?;
        let found = |key: &str| found.iter().find(|item| item.text("memberId") == Some(key));
        let pointer = |key: &str, customer: &str| {
            Item::from([("memberId".into(), s(key)), (CUSTOMER.into(), s(customer)), ("createdAt".into(), s(new.now))])
        };
        let customer_of = |item: &Item| item.text(CUSTOMER).map(str::to_owned);
        Ok(match (found(&player), found(&address).and_then(customer_of)) {
            // A player belongs to its first customer for good; an address that names another one changes nothing.
            (Some(item), named) => {
                let customer = customer_of(item).unwrap_or(player);
                let others = if named.is_some() { Vec::new() } else { vec![pointer(&address, &customer)] };
                Place { member: customer, others, ..own }
            }
            (None, Some(customer)) => {
                let others = vec![pointer(&player, &customer)];
                Place { member: customer, others, ..own }
            }
            (None, None) => {
                let others = vec![pointer(&address, &player)];
                Place { expect: Expect::New, others, ..own }
            }
        })
    }
}

/// A player, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// When its first request came.
    pub created_at: String,
    /// The points of its customer.
    pub points: u64,
    /// How many events its customer sent.
    pub events: u64,
}

/// The players, to look one up.
#[derive(Debug, Clone)]
pub struct PlayerReader {
    client: Client,
    table: String,
}

impl PlayerReader {
    pub(crate) fn new(client: Client, table: String) -> Self {
        PlayerReader { client, table }
    }

    /// A player, if it is known.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn get(&self, id: &PlayerId) -> Result<Option<Player>, Outage> {
        let Some(player) = self.member(&player_key(id)).await? else { return Ok(None) };
        let unreadable = || Outage::unreadable(READ, "a player");
        let created_at = player.text("createdAt").ok_or_else(unreadable)?.to_owned();
        let customer = match player.text(CUSTOMER) {
            Some(customer) => self.member(customer).await?.ok_or_else(unreadable)?,
            None => player,
        };
        let total = |name: &str| customer.number(name).unwrap_or(0);
        Ok(Some(Player { created_at, points: total(POINTS), events: total(EVENTS) }))
    }

    async fn member(&self, key: &str) -> Result<Option<Item>, Outage> {
        let read = self.client.get_item().table_name(&self.table).key("memberId", s(key)).consistent_read(true);
        Ok(read.send().await.map_err(|error| Outage::from_sdk(READ, &error))?.item)
    }
}

fn player_key(id: &PlayerId) -> String {
    MemberId::Player(id.clone()).to_string()
}

fn item(new: &NewPlayerEvents<'_>) -> Item {
    let record_id = match new.key {
        Some(key) => format!("key#{}", &**key),
        None => format!("uuid#{}", Uuid::now_v7()),
    };
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

/// What each event earned: `{"place_order":{"BIG_ORDER":50}}`. Only where it is something.
fn earned_json(request: &PlayerEvents, awards: &[Award<'_>]) -> String {
    let earned = request.events.iter().zip(awards).filter(|(_, award)| award.points() > 0).map(|(event, award)| {
        let paid = award.trace().iter().filter(|line| line.points() > 0);
        let paid = paid.map(|line| ((&**line.rule.id()).into(), json::whole_number(line.points())));
        (event.name.as_str().into(), Value::Object(paid.collect()))
    });
    Value::Object(earned.collect()).to_string()
}

/// An item's size as DynamoDB counts it, near enough: names and values in bytes.
fn size(item: &Item) -> usize {
    let value = |value: &aws_sdk_dynamodb::types::AttributeValue| value.as_s().map_or(32, String::len);
    item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
}
