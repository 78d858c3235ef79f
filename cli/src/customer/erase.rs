//! `punchcard customer erase`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clap::Args;
use indicatif::ProgressBar;
use punchcard_store::{
    EraseError, Eraser, HistoryReader, LedgerReader, Pauses, Person, PersonIds, PersonReader, Progress, StoreError,
};
use serde_json::{Value, json};

use super::{Whose, body, counts};
use crate::{
    embedded, events,
    failure::Failure,
    operator::{Operator, confirmed, with_spinner},
    output::{notice, printable, say},
    set_up::random,
};

/// Number of ids of one role that are shown.
const SHOWN_IDS: usize = 20;
/// A pause that is worth a message.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// Erase what identifies or describes a customer. Digests of ids and amounts remain
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard customer erase A-1001 --stack loyalty --dry-run\n  \
    punchcard customer erase A-1001 player123 --stack loyalty\n  \
    punchcard customer erase --account A-1001 --data .punchcard --offline --yes\n\n\
    It shows what it found, and asks. A late retry of an erased request is still refused as a duplicate, and all sums,\n\
    limits and audits still hold. It waits up to three times 15 s for requests under way, and the first erasure of a store\n\
    five minutes more, until every function knows of it. An erasure that was interrupted is continued by running it again.")]
pub struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Show what would be erased, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Erase without confirmation
    #[arg(long)]
    yes: bool,
    /// Do not wait, because nothing else uses the store
    #[arg(long)]
    offline: bool,
}

/// Offers of the catalog that name the customer, by version.
type Offers = BTreeMap<u64, Vec<String>>;

pub async fn run(options: &Options, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let reader = PersonReader::new(&operator.store);
    let given = options.whose.ids();
    let unfinished = reader.unfinished(&given).await?;
    let is_begun = unfinished.is_some();
    let mut ids = given;
    ids.extend(unfinished.unwrap_or_default());
    let person = with_spinner("looking for the customer", reader.find(&ids)).await?;
    if person.ids.is_empty() && !is_begun {
        return nothing_found(options, operator).await;
    }
    let items = with_spinner("counting what is found", reader.count(&person)).await?;
    let offers = offers(operator, &person.ids).await?;
    if !in_json {
        show(&person, &items);
    } else if options.dry_run {
        say!("{}", json!({"ids": ids_body(&person.ids), "items": items, "catalog": offers}));
    }
    warn(&offers);
    if options.dry_run {
        return Ok(());
    }
    // With --json there is nothing to see that could be confirmed.
    if !options.yes && (in_json || !confirmed("Erase? This cannot be undone.")?) {
        return Err(Failure::NotConfirmed);
    }
    let id = erase(options, operator, &ids, &person).await?;
    if let Some(file) = operator.file() {
        compact(operator, file).await?;
    }
    if operator.admin.quarantine_key().await?.is_some() {
        notice(format_args!(
            "rejected requests of this customer may still be in a quarantine: see `punchcard quarantine discard --help`"
        ));
    }
    let erasures = LedgerReader::new(&operator.store).erasures().await?;
    if let Some(erasure) = erasures.iter().find(|erasure| erasure.id == id) {
        if in_json {
            say!("{}", json!({"erasure": body(erasure), "catalog": offers}));
        } else {
            say!("Erased: {}. The record is {id}.", counts(erasure));
        }
    }
    Ok(())
}

async fn erase(options: &Options, operator: &Operator, ids: &PersonIds, person: &Person) -> Result<String, Failure> {
    let by = operator.identity().await;
    let pauses = if options.offline { Pauses::NONE } else { Pauses::IN_USE };
    let eraser =
        Eraser::begin(&operator.store, ids, person, by.as_deref(), random()?, pauses, punchcard_runtime::now).await?;
    let bar = ProgressBar::new_spinner().with_message("erasing");
    bar.enable_steady_tick(Duration::from_millis(100));
    let progress = |progress| match progress {
        Progress::Prepared(_) => bar.set_message("preparing"),
        Progress::Deleted(_) => bar.set_message("erasing"),
        Progress::Waiting(pause) if pause >= LONG_PAUSE => bar.suspend(|| {
            notice(format_args!("waiting {} s for what does not know of this erasure yet", pause.as_secs()));
        }),
        Progress::Waiting(_) => {}
    };
    let outcome = eraser.run(operator.file().is_some(), progress).await;
    bar.finish_and_clear();
    match outcome {
        Ok(()) => Ok(eraser.id().to_owned()),
        Err(EraseError::InUse) => Err(Failure::CustomerInUse),
        Err(EraseError::Store(error)) => Err(Failure::Store(error)),
    }
}

/// Nothing is left to erase, except maybe in the files of an embedded store.
async fn nothing_found(options: &Options, operator: &Operator) -> Result<(), Failure> {
    let erasures = LedgerReader::new(&operator.store).erasures().await?;
    match operator.file() {
        Some(file) if !options.dry_run && erasures.iter().any(|erasure| erasure.has_remains) => {
            compact(operator, file).await?;
            say!("Nothing is left of this customer, in the files of the store neither.");
            Ok(())
        }
        _ => Err(Failure::NoCustomer),
    }
}

/// Removes deleted records from the queue of events, and rewrites the files, whose free space has deleted data.
async fn compact(operator: &Operator, file: &Path) -> Result<(), Failure> {
    let path = file.to_owned();
    let compact = move || events::remove_deleted(&path).and_then(|()| embedded::compact(&path));
    let compacted = tokio::task::spawn_blocking(compact).await;
    compacted.map_err(std::io::Error::other)??;
    Ok(Eraser::clear_remains(&operator.store).await?)
}

/// Returns the offers that name the customer, of all applied versions. A damaged version names no one that can be read.
async fn offers(operator: &Operator, ids: &PersonIds) -> Result<Offers, Failure> {
    let history = HistoryReader::new(&operator.store);
    let mut offers = Offers::new();
    for applied in operator.admin.versions(usize::MAX).await? {
        let catalog = match history.of(applied.version).await {
            Ok(Some(catalog)) => catalog,
            Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let named = catalog.rules().filter(|rule| {
            ids.accounts.iter().any(|id| rule.names_account(id))
                || ids.loyalty_ids.iter().any(|id| rule.names_loyalty_id(id))
        });
        let named: Vec<_> = named.map(|rule| rule.id().to_string()).collect();
        if !named.is_empty() {
            offers.insert(applied.version, named);
        }
    }
    Ok(offers)
}

fn warn(offers: &Offers) {
    for (version, offers) in offers {
        notice(format_args!(
            "version {version} of the catalog names this customer in {}; applied versions are never changed, so the \
             id stays there",
            printable(&offers.join(", "))
        ));
    }
}

fn show(person: &Person, items: &BTreeMap<&str, usize>) {
    fn line<T: ToString>(role: &str, ids: impl ExactSizeIterator<Item = T>) {
        let count = ids.len();
        if count == 0 {
            return;
        }
        let mut shown: Vec<_> = ids.take(SHOWN_IDS).map(|id| id.to_string()).collect();
        if count > SHOWN_IDS {
            shown.push(format!("and {} more", count - SHOWN_IDS));
        }
        say!("{role:<16} {}", printable(&shown.join(", ")));
    }
    let PersonIds { customers, accounts, loyalty_ids, correlation_ids, players } = &person.ids;
    line("customer", customers.iter());
    line("account", accounts.iter());
    line("loyalty id", loyalty_ids.iter());
    line("correlation id", correlation_ids.iter());
    line("player", players.iter());
    for (table, count) in items {
        say!("{table:<16} {count} items");
    }
}

fn ids_body(ids: &PersonIds) -> Value {
    fn list<T: ToString>(ids: impl Iterator<Item = T>) -> Vec<String> {
        ids.map(|id| id.to_string()).collect()
    }
    let PersonIds { customers, accounts, loyalty_ids, correlation_ids, players } = ids;
    json!({
        "customers": list(customers.iter()),
        "accounts": list(accounts.iter()),
        "loyaltyIds": list(loyalty_ids.iter()),
        "correlationIds": list(correlation_ids.iter()),
        "players": list(players.iter()),
    })
}
