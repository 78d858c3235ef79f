//! `punchcard customer`: exports and erases what the store knows of a person.

mod erase;
mod export;

use std::str::FromStr;

use clap::{Args, Subcommand};
use punchcard_models::ids::{AccountId, CorrelationId, CustomerId, LoyaltyId, PlayerId};
use punchcard_store::{Erasure, LedgerReader, PersonIds};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::{printable, say},
};

/// Export or erase what the store knows of a customer
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum What {
    Export(export::Options),
    Erase(erase::Options),
    /// List all erasures, oldest first
    #[command(after_help = "Examples:\n  punchcard customer erasures --stack loyalty\n  \
        punchcard customer erasures --data .punchcard --json\n\n\
        An erasure that is not complete is continued by `punchcard customer erase` with one of the same ids.")]
    Erasures,
}

/// The customer, by any of its ids.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Whose {
    /// Ids, looked up in every role
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Customer of client events
    #[arg(long, value_name = "ID")]
    customer: Vec<CustomerId>,
    /// Account
    #[arg(long, value_name = "ID")]
    account: Vec<AccountId>,
    /// Loyalty id
    #[arg(long, value_name = "ID")]
    loyalty: Vec<LoyaltyId>,
    /// Correlation id, and the account that a session tied it to
    #[arg(long, value_name = "ID")]
    correlation: Vec<CorrelationId>,
    /// Player, and all players that were merged with it
    #[arg(long, value_name = "ID")]
    player: Vec<PlayerId>,
}

impl Whose {
    /// Returns the ids by role. One that is not valid in a role is not in it.
    fn ids(&self) -> PersonIds {
        fn all<T: FromStr + Clone + Ord>(ids: &[String], own: &[T]) -> std::collections::BTreeSet<T> {
            ids.iter().filter_map(|id| id.parse().ok()).chain(own.iter().cloned()).collect()
        }
        PersonIds {
            customers: all(&self.ids, &self.customer),
            accounts: all(&self.ids, &self.account),
            loyalty_ids: all(&self.ids, &self.loyalty),
            correlation_ids: all(&self.ids, &self.correlation),
            players: all(&self.ids, &self.player),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// There is no such customer, the erasure was not confirmed or is not complete, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { what, target } = options;
    let in_json = target.json;
    target
        .run(async |operator| match &what {
            What::Export(options) => export::run(options, operator, in_json).await,
            What::Erase(options) => erase::run(options, operator, in_json).await,
            What::Erasures => list(operator, in_json).await,
        })
        .await
}

async fn list(operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let erasures = with_spinner("reading the erasures", LedgerReader::new(&operator.store).erasures()).await?;
    if in_json {
        say!("{}", Value::Array(erasures.iter().map(body).collect()));
        return Ok(());
    }
    if erasures.is_empty() {
        say!("There are no erasures.");
    }
    for erasure in &erasures {
        let state = match &erasure.completed_at {
            Some(at) => format!("completed {at}"),
            None => "not complete".to_owned(),
        };
        let by = erasure.by.as_deref().unwrap_or("unknown");
        say!("{}", printable(&format!("{}  {state}  by {by}  {}", erasure.begun_at, counts(erasure))));
    }
    Ok(())
}

fn counts(erasure: &Erasure) -> String {
    let counts: Vec<_> = erasure.deleted.iter().map(|(table, count)| format!("{table} {count}")).collect();
    counts.join(", ")
}

fn body(erasure: &Erasure) -> Value {
    json!({
        "id": erasure.id,
        "begunAt": erasure.begun_at,
        "completedAt": erasure.completed_at,
        "by": erasure.by,
        "deleted": erasure.deleted,
        "members": erasure.members.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
