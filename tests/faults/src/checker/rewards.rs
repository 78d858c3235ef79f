//! Awards: as if the records had been written one after the other, each evaluated by the rules of its time.
//!
//! The writes are taken in the order in which they took effect. Each is evaluated anew, with what the ones before it
//! used, and what is stored has to be the same; in the end, so have balances, counters and who is whose customer.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_models::{
    activity::{Activity, Context},
    api_version::ApiVersion,
    fault::Faults,
    ids::AccountId,
    json,
    order::Order,
    player_events::PlayerEvents,
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, Catalog, Counter, MAX_PERIOD_LIMIT, Member, Occurrence, Trigger, Usage, slot_of, yaml};
use serde_json::{Value, json};

use super::{Evidence, sessions::ties};
use crate::{
    ask::ORDER_PAID,
    history::{Ask, Millis, Request, What, Write},
    store::{numbers, text},
};

/// A member's balances and counters, by name.
type Numbers = BTreeMap<String, i64>;

/// The time, in milliseconds, for which an instance may remember that a total limit is exhausted.
const TOTALS_REMEMBERED: Millis = 30_000;

/// The books, kept a second time.
#[derive(Default)]
struct Books {
    /// Each member's balances and counters.
    members: BTreeMap<String, Numbers>,
    /// Each total limit's uses.
    totals: Numbers,
    /// The customer of each player.
    players: BTreeMap<String, String>,
    /// The customer of each address.
    addresses: BTreeMap<String, String>,
    /// Each member's balances and counters over time.
    balances: BTreeMap<String, Vec<(Millis, Numbers)>>,
    /// Each total limit's uses before some were given back, and when that was.
    given_back: Vec<(Millis, String, i64)>,
    /// The uses of each total limit that were given back.
    given_back_uses: Numbers,
    /// The amounts that each activity added: to its member, and to total limits.
    activities: BTreeMap<String, (Numbers, Numbers)>,
    /// Each order, by its player and record.
    orders: BTreeMap<(String, String), OrderBooks>,
}

/// The books of one order.
struct OrderBooks {
    customer: String,
    /// The amounts that it added, to its member and to total limits.
    added: Numbers,
    /// The amounts that refunds took back of them.
    taken: Numbers,
    /// The amount that was refunded.
    refunded: i64,
}

impl OrderBooks {
    /// Returns what one more refund has to take back.
    fn refund(&mut self, amount: Option<i64>) -> Numbers {
        self.refunded = amount.map_or(ORDER_PAID, |amount| (self.refunded + amount).min(ORDER_PAID));
        let mut now = Numbers::new();
        for (name, added) in &self.added {
            let in_all = match name.split_once('#').map(|(kind, _)| kind) {
                Some("use" | "cap" | "first") if self.refunded < ORDER_PAID => 0,
                Some("use" | "cap" | "first") => *added,
                Some("nth") => 0,
                _ => added * self.refunded / ORDER_PAID,
            };
            let before = self.taken.insert(name.clone(), in_all).unwrap_or(0);
            if in_all > before {
                now.insert(name.clone(), in_all - before);
            }
        }
        now
    }
}

impl Books {
    /// The counters that an evaluation for a member may see: those of now, or ones that were higher before a reversal.
    /// A limit that was exhausted when a request read it pays nothing, even if uses were given back meanwhile.
    fn usages(&self, member: &str, sent: Millis, hints: &Hints) -> Vec<Usage> {
        let none = Numbers::new();
        let now = self.members.get(member).unwrap_or(&none);
        let states = self.balances.get(member).map_or(&[][..], Vec::as_slice);
        let first = states.iter().rposition(|(at, _)| *at < sent).unwrap_or(0);
        let fell = |had: &Numbers| had.iter().any(|(name, used)| now.get(name).is_some_and(|now| now < used));
        let before = states[first..].iter().map(|(_, had)| had).filter(|had| fell(had));
        let members: Vec<_> = std::iter::once(now).chain(before).collect();

        let mut totals = vec![self.totals.clone()];
        for (at, name, before) in &self.given_back {
            if *at + TOTALS_REMEMBERED >= sent {
                let remembered = totals.iter().map(|totals| {
                    let mut totals = totals.clone();
                    totals.insert(name.clone(), *before);
                    totals
                });
                let remembered: Vec<_> = remembered.filter(|remembered| !totals.contains(remembered)).collect();
                totals.extend(remembered);
            }
        }
        let usage = |member: &Numbers, totals: &Numbers| {
            let mut usage = Usage::default();
            for (name, used) in member.iter().chain(totals) {
                usage.set(name.as_str(), u64::try_from(*used).unwrap_or(0));
            }
            hints.apply_to(&mut usage);
            usage
        };
        members.iter().flat_map(|member| totals.iter().map(|totals| usage(member, totals))).collect()
    }

    /// Books what awards came to, and returns it: of the member, and of total limits.
    fn book(&mut self, at: Millis, member: &str, awards: &[Award<'_>], adds: Numbers) -> (Numbers, Numbers) {
        let (mut own, mut totals) = (adds, Numbers::new());
        for spend in awards.iter().flat_map(Award::spends) {
            let counters = if spend.counter == Counter::TotalUses { &mut totals } else { &mut own };
            *counters.entry(spend.name()).or_default() += spend.amount.cast_signed();
        }
        add(self.members.entry(member.to_owned()).or_default(), &own);
        add(&mut self.totals, &totals);
        self.remember(at, member);
        (own, totals)
    }

    /// Books what a correction took away: that is also counted.
    fn take(&mut self, member: &str, taken: &Numbers) {
        let numbers = self.members.entry(member.to_owned()).or_default();
        for (name, amount) in taken {
            if let Some((slot, period)) = slot_of(name) {
                let of_period = period.slot_value(0).cast_signed()..=period.slot_value(MAX_PERIOD_LIMIT).cast_signed();
                if let Some(held) = numbers.get_mut(&slot).filter(|held| of_period.contains(*held)) {
                    *held -= amount;
                }
                continue;
            }
            *numbers.entry(format!("out#{name}")).or_default() += amount;
            *numbers.entry(name.clone()).or_default() -= amount;
        }
    }

    /// Books uses of total limits that were given back.
    fn give_back(&mut self, at: Millis, totals: Numbers) {
        for (name, amount) in totals {
            let used = self.totals.entry(name.clone()).or_default();
            self.given_back.push((at, name.clone(), *used));
            *used -= amount;
            *self.given_back_uses.entry(name).or_default() += amount;
        }
    }

    fn remember(&mut self, at: Millis, member: &str) {
        let now = self.members.get(member).cloned().unwrap_or_default();
        self.balances.entry(member.to_owned()).or_default().push((at, now));
    }
}

fn add(numbers: &mut Numbers, more: &Numbers) {
    for (name, amount) in more {
        match slot_of(name) {
            // A later period replaces an earlier one.
            Some((slot, period)) => {
                let held = numbers.entry(slot).or_default();
                *held = (*held).max(period.slot_value(0).cast_signed()) + amount;
            }
            None => *numbers.entry(name.clone()).or_default() += amount,
        }
    }
}

/// The parts of a record's evaluation that do not follow from its award.
#[derive(Default)]
struct Hints {
    /// The shards of total limits that were chosen, at random.
    chosen: Vec<(String, u64)>,
    /// The shards of total limits of which all were exhausted.
    exhausted: Vec<String>,
    /// The rules with `first` that found an earlier occurrence. One that was reversed since is not counted again.
    not_first: BTreeSet<String>,
}

impl Hints {
    fn of(evidence: &Evidence<'_>, books: &Books, write: &Write) -> Self {
        let mut hints = Hints::default();
        for (name, number) in write.item["counters"]["M"].as_object().into_iter().flatten().filter_map(amount) {
            match name.split_once('#') {
                Some(("first", _)) => _ = hints.not_first.insert(name),
                Some(("shard", _)) => hints.chosen.push((name, number.unsigned_abs())),
                Some(("cap", rule)) if !rule.contains('#') => {
                    hints.exhausted.extend(exhausted_shards(evidence, books, rule, write.at));
                }
                _ => {}
            }
        }
        hints
    }

    /// Returns true if awards assume what the record says.
    fn agree_with(&self, awards: &[Award<'_>]) -> bool {
        let assumed = awards.iter().flat_map(|award| award.assumed().keys());
        let not_first: BTreeSet<_> = assumed.filter(|name| name.starts_with("first#")).collect();
        not_first.into_iter().eq(&self.not_first)
    }

    fn apply_to(&self, usage: &mut Usage) {
        self.chosen.iter().for_each(|(name, number)| usage.set(name.as_str(), *number));
        self.exhausted.iter().for_each(|name| usage.set_exhausted(name, true));
    }
}

/// The shards of a rule that have used up the smallest share that a catalog gave them until then. A function with an older
/// catalog is held to it.
fn exhausted_shards(evidence: &Evidence<'_>, books: &Books, rule: &str, until: Millis) -> Vec<String> {
    let mut smallest = BTreeMap::<usize, i64>::new();
    for change in evidence.history.changes.iter().filter(|change| change.begun <= until) {
        let What::Rules { json, .. } = &change.what else { continue };
        let (_, shares) = yaml::source_of(json);
        for (index, share) in shares.get(rule).into_iter().flatten().enumerate() {
            let share = share.cast_signed();
            smallest.entry(index).and_modify(|least| *least = share.min(*least)).or_insert(share);
        }
    }
    let named = smallest.into_iter().map(|(index, share)| (format!("cap#{rule}#{index}"), share));
    let is_exhausted = |(name, share): &(String, i64)| books.totals.get(name).unwrap_or(&0) >= share;
    named.filter(is_exhausted).map(|(name, _)| name).collect()
}

/// The arrival time of a record.
fn received_at(item: &Value) -> Timestamp {
    text(item, "receivedAt").and_then(Timestamp::from_text).unwrap_or(Timestamp::from_millis(0))
}

pub(super) fn check(evidence: &Evidence<'_>) {
    let mut books = Books::default();
    for write in &evidence.history.writes {
        let Some(request) = write.request.map(|number| &evidence.history.requests[number]) else { continue };
        match write.table.as_str() {
            "Activities" if !write.item["kind"].is_null() => correction(evidence, &mut books, write),
            "Activities" => activity(evidence, &mut books, write, request),
            "PlayerEvents" if !write.item["kind"].is_null() => refund(evidence, &mut books, write),
            "PlayerEvents" => player_events(evidence, &mut books, write, request),
            "Members" => saved_player(&mut books, write, request),
            _ => {}
        }
    }
    in_the_end(evidence, &books);
    limits(evidence);
    read(evidence, &books);
}

/// Pays an activity as one of the catalogs of its time would.
fn activity(evidence: &Evidence<'_>, books: &mut Books, write: &Write, request: &Request) {
    let Ask::Activity { body, .. } = &request.ask else { return };
    let (Some(id), Some(member), Some(earned)) =
        (text(&write.item, "activityId"), text(&write.item, "memberId"), text(&write.item, "earned"))
    else {
        return;
    };
    let hints = Hints::of(evidence, books, write);
    let usages = books.usages(member, request.sent, &hints);
    let account = member.strip_prefix("acct#").and_then(|id| id.parse::<AccountId>().ok());
    for rules in evidence.rules_for(request, write.at) {
        let Ok(catalog) = Catalog::from_json(rules) else { continue };
        let context = Context {
            now: Timestamp::from_millis(i64::MAX / 2),
            actions: catalog.actions(),
            business_units: catalog.business_units(),
            default_channel: None,
            loyalty_id: None,
        };
        let faults = Faults::default();
        let parsed = json::parse(body.to_string().as_bytes(), &faults, |at| Activity::parse(at, context));
        let Ok(activity) = faults.none_or(parsed) else { continue };
        let occurrence = Occurrence {
            trigger: Trigger::Action(&activity.action),
            channel: Some(&activity.channel),
            business_unit: activity.business_unit.as_deref(),
            at: activity.when,
            received_at: received_at(&write.item),
            data: &activity.extended_data,
        };
        let member_of = Member { account: account.as_ref(), loyalty: None };
        let mut awards = usages.iter().map(|usage| catalog.evaluate(&occurrence, member_of, usage));
        let is_stored =
            |award: &Award<'_>| award.earned_json() == earned && hints.agree_with(std::slice::from_ref(award));
        if let Some(award) = awards.find(is_stored) {
            let adds = award.earned().into_iter().flat_map(|(unit, types)| {
                types
                    .into_iter()
                    .map(move |(name, earned)| (format!("pts#{unit}#{name}"), earned.total().cast_signed()))
            });
            let adds = adds.collect();
            let booked = books.book(write.at, member, &[award], adds);
            books.activities.insert(id.to_owned(), booked);
            return;
        }
    }
    evidence.wrong(
        format!("the activity {id} earned {earned}, which no catalog of its time pays after what was paid before"),
        &[format!("\"{id}\""), format!("\"{member}\"")],
    );
}

/// Books a correction: a reversal takes back what its activity came to.
fn correction(evidence: &Evidence<'_>, books: &mut Books, write: &Write) {
    let item = &write.item;
    let Some(member) = text(item, "memberId") else { return };
    if let Some(original) = text(item, "original") {
        // One that came to nothing that a catalog pays is reported already, and one that is reversed again elsewhere.
        let (mut own, totals) = books.activities.remove(original).unwrap_or_default();
        own.retain(|name, _| !name.starts_with("nth#"));
        if !own.is_empty() {
            books.take(member, &own);
        }
        books.give_back(write.at, totals);
    } else {
        let amount = item["amount"]["N"].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let name = "pts#A#loyalty".to_owned();
        let change = Numbers::from([(name, amount.abs())]);
        if amount < 0 {
            books.take(member, &change);
        } else {
            add(books.members.entry(member.to_owned()).or_default(), &change);
        }
    }
    books.remember(write.at, member);
    not_below_zero(evidence, books, member);
}

/// Books a refund: it takes back the share of its order's award that the refunded amount is of what was paid.
fn refund(evidence: &Evidence<'_>, books: &mut Books, write: &Write) {
    let item = &write.item;
    let (Some(player), Some(id), Some(order)) = (text(item, "playerId"), text(item, "recordId"), text(item, "order"))
    else {
        return;
    };
    let Some(of) = books.orders.get_mut(&(player.to_owned(), order.to_owned())) else {
        evidence.wrong(format!("{id} of {player} refunds {order}, which is not recorded"), &[format!("\"{player}\"")]);
        return;
    };
    let expected = of.refund(text(item, "amount").and_then(|amount| amount.parse().ok()));
    let customer = of.customer.clone();
    let taken: Numbers = item["taken"]["M"].as_object().into_iter().flatten().filter_map(amount).collect();
    evidence.check(taken == expected, &[&format!("\"{player}\"")], || {
        format!("{id} of {player} takes back {taken:?} of {order}, and should {expected:?}")
    });
    let (totals, own): (Numbers, Numbers) = expected.into_iter().partition(|(name, _)| name.starts_with("cap#"));
    if !own.is_empty() {
        books.take(&customer, &own);
    }
    books.give_back(write.at, totals);
    books.remember(write.at, &customer);
    not_below_zero(evidence, books, &customer);
}

fn amount((name, value): (&String, &Value)) -> Option<(String, i64)> {
    Some((name.clone(), value["N"].as_str()?.parse().ok()?))
}

/// No balance is below zero if the catalogs refuse that.
fn not_below_zero(evidence: &Evidence<'_>, books: &Books, member: &str) {
    let refused = evidence.history.changes.iter().all(|change| match &change.what {
        What::Rules { json, .. } => json.contains(r#""negativeBalances":"refused""#),
        What::Revoked(_) => true,
    });
    let is_balance = |name: &str| name.starts_with("pts#") || name == "points";
    let negative = books.members[member].iter().find(|(name, points)| is_balance(name) && **points < 0);
    evidence.check(!refused || negative.is_none(), &[&format!("\"{member}\"")], || {
        format!("{member} has {negative:?}, and its catalogs refuse that")
    });
}

/// Pays player events as one of the catalogs of their time would, and books them with the customer that they are of.
fn player_events(evidence: &Evidence<'_>, books: &mut Books, write: &Write, request: &Request) {
    let Ask::PlayerEvents { player, address, body, .. } = &request.ask else { return };
    let own = format!("player#{player}");
    let customer = match (books.players.get(&own), address.as_ref().and_then(|address| books.addresses.get(address))) {
        (Some(customer), _) | (None, Some(customer)) => customer.clone(),
        (None, None) => own.clone(),
    };
    books.players.entry(own).or_insert_with(|| customer.clone());
    if let Some(address) = address {
        books.addresses.entry(address.clone()).or_insert_with(|| customer.clone());
    }
    let Some(earned) = text(&write.item, "earned").and_then(|earned| serde_json::from_str::<Value>(earned).ok()) else {
        return;
    };
    let hints = Hints::of(evidence, books, write);
    let usages = books.usages(&customer, request.sent, &hints);
    let unused = write.item["unused"]["BOOL"] == true;
    for rules in evidence.rules_for(request, write.at) {
        let Ok(catalog) = Catalog::from_json(rules) else { continue };
        let (faults, merging) = (Faults::default(), catalog.channel_merging());
        let version = if body.get("customerId").is_some() { ApiVersion::V4 } else { ApiVersion::V3 };
        let parsed = json::parse(body.to_string().as_bytes(), &faults, |at| match body.get("orderId") {
            Some(_) => {
                Order::parse(at, version, merging, Timestamp::from_millis(i64::MAX / 2)).map(|order| order.events)
            }
            None => PlayerEvents::parse(at, version, merging),
        });
        let Ok(events) = faults.none_or(parsed) else { continue };
        for usage in &usages {
            let (awards, paid) = pay(&catalog, &events, usage, received_at(&write.item));
            if paid == earned && hints.agree_with(&awards) && unused != catalog.rewards_enabled() {
                let points: u64 = awards.iter().map(Award::points).sum();
                let mut adds = Numbers::new();
                if points > 0 {
                    adds.insert("points".to_owned(), points.cast_signed());
                }
                let (mut added, totals) = books.book(write.at, &customer, &awards, adds);
                if let Some(id) = text(&write.item, "recordId").filter(|id| id.starts_with("order#")) {
                    // A refund takes the rest back.
                    added.extend(totals);
                    let order = OrderBooks { customer, added, taken: Numbers::new(), refunded: 0 };
                    books.orders.insert((player.clone(), id.to_owned()), order);
                }
                return;
            }
        }
    }
    evidence.wrong(
        format!("{player} earned {earned}, which no catalog of its time pays after what was paid before"),
        &[format!("\"{player}\"")],
    );
}

/// Evaluates player events, and returns the awards and what each event was paid by each campaign.
fn pay<'c>(
    catalog: &'c Catalog,
    events: &PlayerEvents,
    usage: &Usage,
    received_at: Timestamp,
) -> (Vec<Award<'c>>, Value) {
    let mut paid = json!({});
    let awards = events.events.iter().map(|event| {
        let occurrence = Occurrence {
            trigger: Trigger::Event(&event.name),
            channel: None,
            business_unit: None,
            at: received_at,
            received_at,
            data: &event.metadata,
        };
        let award = catalog.evaluate(&occurrence, Member::default(), usage);
        for line in award.trace().iter().filter(|line| line.points() > 0) {
            paid[&event.name][&**line.rule.id()] = json!(line.points());
        }
        award
    });
    (awards.collect(), paid)
}

/// Books a player that was made without events, and the address that its customer got.
fn saved_player(books: &mut Books, write: &Write, request: &Request) {
    let Ask::SavePlayer { player, address, .. } = &request.ask else { return };
    let (own, id) = (format!("player#{player}"), text(&write.item, "memberId").unwrap_or_default());
    let customer = text(&write.item, "customer").unwrap_or(&own).to_owned();
    if id == own {
        books.players.entry(own).or_insert(customer);
    } else if let Some(address) = address {
        books.addresses.entry(address.clone()).or_insert(customer);
    }
}

/// Balances, counters and names are what the records come to.
fn in_the_end(evidence: &Evidence<'_>, books: &Books) {
    let mut expected = books.members.clone();
    for (name, used) in &books.totals {
        let given_back = books.given_back_uses.get(name).map(|amount| ("out#used".to_owned(), *amount));
        expected.insert(name.clone(), given_back.into_iter().chain([("used".to_owned(), *used)]).collect());
    }
    let accounts: BTreeSet<_> = ties(evidence).into_values().map(|(account, _)| format!("acct#{account}")).collect();
    let mut customers = BTreeMap::new();
    for item in &evidence.members {
        let id = text(item, "memberId").unwrap_or_default();
        if let Some(customer) = text(item, "customer") {
            customers.insert(id.to_owned(), customer.to_owned());
            continue;
        }
        let mut found = numbers(item);
        // The number of its writes is not a promise.
        found.remove("version");
        // A shard whose share the operator has changed has uses, even if there are none.
        if found.remove("share").is_some() && found == Numbers::from([("used".to_owned(), 0)]) {
            expected.entry(id.to_owned()).or_insert_with(|| found.clone());
        }
        let wanted = expected.remove(id).unwrap_or_default();
        let known =
            id.starts_with("loy#") || accounts.contains(id) || books.players.contains_key(id) || !wanted.is_empty();
        evidence.check(known && found == wanted, &[id, id.split_once('#').map_or(id, |(_, name)| name)], || {
            format!("{id} has {found:?}, but its records come to {wanted:?}")
        });
        if id.starts_with("player#") {
            customers.insert(id.to_owned(), id.to_owned());
        }
    }
    // Nothing was earned and nothing counted: such a member need not be there.
    expected.retain(|_, books| !books.is_empty());
    evidence.check(expected.is_empty(), &[], || format!("of these there is nothing: {expected:?}"));
    let players: BTreeMap<_, _> =
        customers.iter().filter(|(id, _)| id.starts_with("player#")).map(|(id, of)| (id.clone(), of.clone())).collect();
    let has_address = |player: &str| {
        evidence.requests().any(|(_, request)| match &request.ask {
            Ask::PlayerEvents { player: id, address: Some(_), .. } => Some(&**id) == player.strip_prefix("player#"),
            _ => false,
        })
    };
    // A player whose requests earned nothing is its own customer without an item, unless it has an address.
    let mut wanted = books.players.clone();
    wanted.retain(|player, customer| players.contains_key(player) || customer != player || has_address(player));
    evidence
        .check(players == wanted, &["player-"], || format!("players belong to {players:?}, and should to {wanted:?}"));
    let mut addresses: Vec<_> = customers
        .iter()
        .filter(|(id, _)| id.starts_with("mail#") || id.starts_with("mob#"))
        .map(|(_, of)| of)
        .collect();
    let mut wanted: Vec<_> = books.addresses.values().collect();
    addresses.sort();
    wanted.sort();
    evidence.check(addresses == wanted, &["player-"], || {
        format!("addresses belong to {addresses:?}, and should to {wanted:?}")
    });
}

/// No limit was ever passed: counted from the records alone, against the highest that was in force.
fn limits(evidence: &Evidence<'_>) {
    let catalogs = evidence.history.changes.iter().filter_map(|change| match &change.what {
        What::Rules { json, .. } => serde_json::from_str::<Value>(json).ok(),
        What::Revoked(_) => None,
    });
    let catalogs: Vec<_> = catalogs.collect();
    let mut uses = BTreeMap::<(String, String), (u64, u64)>::new();
    let mut by_day = BTreeMap::<(String, String, String), u64>::new();
    // An order that was refunded whole gave its uses back.
    let counts = |item: &&Value| item["kind"].is_null() && text(item, "refunded") != Some("whole");
    for item in evidence.player_events.iter().filter(counts) {
        let player = text(item, "playerId").unwrap_or_default();
        let own = format!("player#{player}");
        let customer = evidence.members.iter().find(|member| text(member, "memberId") == Some(&own));
        let customer = customer.and_then(|member| text(member, "customer")).unwrap_or(&own);
        let earned: Value = text(item, "earned").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        for (rule, points) in
            earned.as_object().into_iter().flatten().flat_map(|(_, paid)| paid.as_object().into_iter().flatten())
        {
            let day = text(item, "receivedAt").unwrap_or_default().split('T').next().unwrap_or_default();
            *by_day.entry((rule.clone(), customer.to_owned(), day.to_owned())).or_default() += 1;
            let (count, sum) = uses.entry((rule.clone(), customer.to_owned())).or_default();
            *count += 1;
            *sum += points.as_u64().unwrap_or(0);
        }
    }
    let highest = |rule: &str, limit: &str| {
        let of = |catalog: &Value| {
            let rules = crate::store::list(&catalog["campaigns"]).iter();
            rules.filter(|it| it["id"] == rule).filter_map(|it| it["limits"].pointer(limit)?.as_u64()).max()
        };
        catalogs.iter().filter_map(of).max().unwrap_or(u64::MAX)
    };
    for ((rule, customer, day), count) in &by_day {
        let within = *count <= highest(rule, "/usesPerMember/day");
        evidence.check(within, &[rule, customer], || format!("{rule} paid {customer} {count} times on {day}"));
    }
    let mut totals = BTreeMap::<&str, u64>::new();
    for ((rule, customer), (count, sum)) in &uses {
        *totals.entry(rule).or_default() += count;
        let within = *count <= highest(rule, "/usesPerMember") && *sum <= highest(rule, "/pointsPerMember");
        evidence
            .check(within, &[rule, customer], || format!("{rule} paid {customer} {count} times, {sum} points in all"));
    }
    for (rule, count) in totals {
        evidence.check(count <= highest(rule, "/usesInTotal"), &[rule], || format!("{rule} paid {count} times in all"));
    }
}

/// A balance or player that was read is one that existed at some moment of the read.
fn read(evidence: &Evidence<'_>, books: &Books) {
    let ties = ties(evidence);
    let none = BTreeMap::new();
    for (number, request) in evidence.requests() {
        let (Some(answer), Some(ended)) = (&request.answer, request.ended) else { continue };
        let moments = |member: &str| {
            let all = books.balances.get(member).map_or(&[][..], Vec::as_slice);
            let before = all.iter().rev().find(|(at, _)| *at < request.sent).map_or(&none, |(_, had)| had);
            let during = all.iter().filter(|(at, _)| (request.sent..=ended).contains(at)).map(|(_, had)| had);
            std::iter::once(before).chain(during).cloned().collect::<Vec<_>>()
        };
        let json = answer.json();
        match &request.ask {
            Ask::ReadBalances { correlation } if answer.status == 200 => {
                let tie = ties.get(correlation.as_str());
                let mut members = Vec::new();
                if let Some((account, at)) = tie
                    && *at <= ended
                {
                    members.push((format!("acct#{account}"), *account));
                }
                if tie.is_none_or(|(_, at)| *at >= request.sent) {
                    members.push((format!("corr#{correlation}"), correlation));
                }
                let right = members.iter().any(|(member, account)| {
                    json["accountId"] == **account
                        && moments(member).iter().any(|had| json["balances"] == balances(had))
                });
                let about: Vec<_> =
                    members.iter().map(|(member, _)| member.clone()).chain([format!("#{number} ")]).collect();
                if !right {
                    evidence.wrong(format!("#{number} reads balances that {correlation} never had then"), &about);
                }
            }
            Ask::ReadPlayer { player } if matches!(answer.status, 200 | 404) => {
                let own = format!("player#{player}");
                let customer = books.players.get(&own).unwrap_or(&own);
                let first = evidence.history.writes.iter().find(|write| match write.table.as_str() {
                    "PlayerEvents" => text(&write.item, "playerId") == Some(player),
                    "Members" => text(&write.item, "memberId") == Some(&own),
                    _ => false,
                });
                let right = if answer.status == 404 {
                    first.is_none_or(|write| write.at >= request.sent)
                } else {
                    first.is_some_and(|write| write.at <= ended)
                        && moments(customer).iter().any(|had| json["points"] == had.get("points").copied().unwrap_or(0))
                };
                evidence.check(right, &[&format!("#{number} "), player], || {
                    format!("#{number} reads of {player} what never was then")
                });
            }
            _ => {}
        }
    }
}

/// A member's balances as they are told.
fn balances(had: &Numbers) -> Value {
    let mut told = json!({});
    for (name, points) in had {
        if let Some((unit, points_type)) = name.strip_prefix("pts#").and_then(|name| name.split_once('#')) {
            told[unit][points_type] = json!(points);
        }
    }
    told
}
