//! Search, and the page of a member.

use std::str::FromStr;

use askama::Template;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::future::try_join_all;
use punchcard_http::cursor;
use punchcard_models::{
    ids::{AccountId, CorrelationId, CustomerId, PlayerId},
    member::MemberId,
};
use punchcard_store::{
    ActivityPages, LedgerReader, Lookup, PageEnd, PageOrder, PartitionPage, PartitionPages, Position, StoredMember,
    StoredRecord, Subject,
};
use tokio::time::Instant;

use super::{
    Console, PAGE_LIMIT, RECORDS,
    member_numbers::{Balance, Limit, balances, limits},
    page::{Shell, render},
    problem::Problem,
    record::RecordView,
    request::Visit,
    text::address,
};

/// A search result.
struct Found {
    kind: &'static str,
    id: String,
    note: String,
    address: String,
}

impl Found {
    fn of(subject: &Subject) -> Self {
        let of = |kind, parameter, id: &str, note: String| {
            let path = if kind == "Activity" { "/console/record" } else { "/console/member" };
            Found { kind, id: id.to_owned(), note, address: address(path, &[(parameter, id)]) }
        };
        match subject {
            Subject::Account { id, loyalty_id } => {
                let note = loyalty_id.as_ref().map(|loyalty| format!("loyalty id {loyalty}"));
                of("Account", "account", id, note.unwrap_or_default())
            }
            Subject::Correlation { id, owner, .. } => {
                let note = match owner {
                    Some(owner) => match owner.account() {
                        Some(account) => format!("session of account {}", account.account_id),
                        None => "anonymous session".to_owned(),
                    },
                    None => "no session".to_owned(),
                };
                of("Correlation", "correlation", id, note)
            }
            Subject::Player { id, customer } => {
                let note = customer.as_ref().map(|customer| format!("the same person as {customer}"));
                of("Player", "player", id, note.unwrap_or_default())
            }
            Subject::Customer(id) => of("Customer", "customer", id, "client events".to_owned()),
            Subject::Activity(id) => of("Activity", "activity", id, String::new()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/members.html")]
struct SearchPage {
    shell: Shell,
    query: String,
    found: Vec<Found>,
}

/// The search.
pub async fn search(visit: Visit) -> Result<Response, Problem> {
    let query = visit.fields.text("q");
    let mut found = Vec::new();
    if !query.is_empty() {
        let lookup = Lookup::new(&visit.console.operator.store);
        let subjects = lookup.find(&query, Instant::now() + PAGE_LIMIT).await;
        found = subjects.map_err(|error| visit.console.explain(error))?.iter().map(Found::of).collect();
    }
    if let [only] = &found[..] {
        return Ok(Redirect::to(&only.address).into_response());
    }
    Ok(render(&SearchPage { shell: visit.shell("Members", "Members"), query, found }))
}

/// The subject of a page.
enum Whose {
    Account(AccountId),
    Correlation(CorrelationId),
    Player(PlayerId),
    Customer(CustomerId),
}

impl Whose {
    fn of(visit: &Visit) -> Result<Self, Problem> {
        let fields = &visit.fields;
        Ok(if let Some(id) = fields.parsed("account")? {
            Whose::Account(id)
        } else if let Some(id) = fields.parsed("correlation")? {
            Whose::Correlation(id)
        } else if let Some(id) = fields.parsed("player")? {
            Whose::Player(id)
        } else if let Some(id) = fields.parsed("customer")? {
            Whose::Customer(id)
        } else {
            return Err(Problem::NoPage);
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Whose::Account(_) => "account",
            Whose::Correlation(_) => "correlation",
            Whose::Player(_) => "player",
            Whose::Customer(_) => "customer",
        }
    }

    fn id(&self) -> &str {
        match self {
            Whose::Account(id) => id,
            Whose::Correlation(id) => id,
            Whose::Player(id) => id,
            Whose::Customer(id) => id,
        }
    }

    /// The member whose balance it is. Customers of client events have none.
    fn member(&self) -> Option<MemberId> {
        match self {
            Whose::Account(id) => Some(MemberId::Account(id.clone())),
            Whose::Correlation(id) => Some(MemberId::Correlation(id.clone())),
            Whose::Player(id) => Some(MemberId::Player(id.clone())),
            Whose::Customer(_) => None,
        }
    }
}

/// A page of a timeline.
struct Timeline {
    records: Vec<RecordView>,
    next: Option<String>,
    order: PageOrder,
}

#[derive(Template)]
#[template(path = "console/member.html")]
struct MemberPage {
    shell: Shell,
    kind: &'static str,
    id: String,
    /// Other pages of the same id or person.
    others: Vec<Found>,
    has_balances: bool,
    balances: Vec<Balance>,
    limits: Vec<Limit>,
    timeline: Timeline,
    is_first: bool,
    first: String,
    next: Option<String>,
    /// The page that adjusts a balance.
    adjust: Option<String>,
    /// An activity is chosen to adjust the balance.
    chooses: bool,
}

impl MemberPage {
    fn by_id(&self) -> bool {
        self.timeline.order == PageOrder::Id
    }
}

/// The page of an account, a correlation id, a player or a customer.
pub async fn member(visit: Visit) -> Result<Response, Problem> {
    let whose = Whose::of(&visit)?;
    let console = &visit.console;
    let (kind, id) = (whose.kind(), whose.id().to_owned());
    let next = visit.fields.get("next");
    let reading = async {
        futures_util::try_join!(
            async { Ok(Lookup::new(&console.operator.store).find(&id, Instant::now() + PAGE_LIMIT).await?) },
            console.numbers(&whose),
            console.timeline(&whose, next),
        )
    };
    let (subjects, numbers, mut timeline) = reading.await?;
    let others: Vec<_> = subjects.iter().flat_map(|subject| related(subject, kind)).collect();
    if numbers.is_none() && timeline.records.is_empty() && next.is_none() && others.is_empty() {
        return Err(Problem::NotFound(format!("{kind} {id}")));
    }
    let here = |next: &str| address("/console/member", &[(kind, &id), ("next", next)]);
    let numbers = numbers.unwrap_or_default();
    let catalog = console.catalog().await?;
    let may_adjust = console.writes() && matches!(whose, Whose::Correlation(_));
    // An adjustment names a correlation id, of which an account may have many: the operator chooses an activity.
    let chooses = console.writes() && matches!(whose, Whose::Account(_));
    if chooses {
        timeline.records.iter_mut().for_each(RecordView::offer_adjustment);
    }
    let page = MemberPage {
        shell: visit.shell(id.clone(), "Members"),
        kind,
        others,
        has_balances: whose.member().is_some(),
        balances: balances(&numbers),
        limits: limits(&numbers, &catalog, punchcard_runtime::now()),
        is_first: next.is_none(),
        first: address("/console/member", &[(kind, &id)]),
        next: timeline.next.as_deref().map(here),
        timeline,
        chooses,
        adjust: may_adjust.then(|| address("/console/adjust", &[("correlation", &id)])),
        id,
    };
    Ok(render(&page))
}

/// Pages of the same person, or of others with the same id.
fn related(subject: &Subject, shown: &str) -> Vec<Found> {
    let itself = Found::of(subject);
    let mut found = Vec::new();
    match subject {
        Subject::Correlation { owner: Some(owner), .. } => {
            found.extend(owner.account().map(|account| {
                let loyalty_id = Some(account.loyalty_id.to_string());
                Found::of(&Subject::Account { id: account.account_id.clone(), loyalty_id })
            }));
        }
        Subject::Player { customer: Some(customer), .. } => {
            found.push(Found::of(&Subject::Player { id: customer.clone(), customer: None }));
        }
        _ => {}
    }
    if !itself.kind.eq_ignore_ascii_case(shown) {
        found.insert(0, itself);
    }
    found
}

impl Console {
    /// Reads the item of a member.
    async fn numbers(&self, whose: &Whose) -> Result<Option<StoredMember>, Problem> {
        let Some(member) = whose.member() else { return Ok(None) };
        let reader = LedgerReader::new(&self.operator.store);
        let read = async |key: String| -> Result<Option<StoredMember>, Problem> {
            let found = reader.members_by_key(&[key], Instant::now() + PAGE_LIMIT).await;
            Ok(found.map_err(|error| self.explain(error))?.pop())
        };
        let Some(found) = read(member.to_string()).await? else { return Ok(None) };
        match found.customer.clone() {
            // The numbers of a player that was merged are those of its customer.
            Some(customer) => read(customer).await,
            None => Ok(Some(found)),
        }
    }

    /// Reads a page of records.
    async fn timeline(&self, whose: &Whose, next: Option<&str>) -> Result<Timeline, Problem> {
        let store = &self.operator.store;
        let partitions = PartitionPages::new(store);
        let page = match whose {
            Whose::Account(_) | Whose::Correlation(_) => {
                let Some(member) = whose.member() else { return Err(Problem::NoPage) };
                let after = position::<Position>(next)?;
                let reading = ActivityPages::new(store);
                let reading = reading.page(&member, after.as_ref(), RECORDS, Instant::now() + PAGE_LIMIT);
                let page = reading.await.map_err(|error| self.explain(error))?;
                let records: Vec<_> = page.records.into_iter().map(StoredRecord::Activity).collect();
                let next = page.next.map(|end| cursor::encode(&end.to_string()));
                return self.views(&records, "", next, PageOrder::Arrival).await;
            }
            Whose::Player(player) => partitions.of_player(player, position(next)?.as_ref(), RECORDS).await,
            Whose::Customer(customer) => partitions.of_customer(customer, position(next)?.as_ref(), RECORDS).await,
        };
        let PartitionPage { items, order, next } = page.map_err(|error| self.explain(error))?;
        let records = items.iter().map(punchcard_store::StoredItem::record).collect::<Result<Vec<_>, _>>()?;
        let next = next.map(|end: PageEnd| cursor::encode(&end.to_string()));
        self.views(&records, whose.id(), next, order).await
    }

    async fn views(
        &self,
        records: &[StoredRecord],
        partition: &str,
        next: Option<String>,
        order: PageOrder,
    ) -> Result<Timeline, Problem> {
        let views = records.iter().map(|record| RecordView::of(record, partition, &self.history));
        Ok(Timeline { records: try_join_all(views).await?, next, order })
    }
}

/// Reads the cursor of a page.
fn position<P: FromStr>(next: Option<&str>) -> Result<Option<P>, Problem> {
    let read = |next: &str| cursor::decode(next)?.parse().ok();
    let invalid = || Problem::Invalid("The address is not complete: its last part does not name a page.".to_owned());
    next.map(|next| read(next).ok_or_else(invalid)).transpose()
}
