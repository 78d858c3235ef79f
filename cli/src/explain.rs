//! `punchcard explain`: explains the award of one record.

use clap::{Args, Subcommand};
use punchcard_models::{
    ids::{ActivityId, PlayerId},
    json::{Value, whole_number},
};
use punchcard_rewards::Explanation;
use punchcard_store::{Evaluation, HistoryReader, LedgerReader, PlayerRecord, StoreError, StoredOccurrence};

use crate::{
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::{printable, say},
};

/// Explain the award of an activity or of a player's request, rule by rule
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Explain an activity
    #[command(after_help = "Example:\n  punchcard explain activity activity-1 --stack loyalty")]
    Activity {
        /// Activity id
        id: ActivityId,
    },
    /// Explain a request of a player
    #[command(after_help = "Example:\n  punchcard explain player player123 key#order-1 --stack loyalty\n\n\
        `punchcard history --player` lists the record ids.")]
    Player {
        /// Player id
        player: PlayerId,
        /// Record id: key#KEY for an Idempotency-Key, order#ID for an order, or uuid#UUID
        record: String,
    },
}

/// Runs the command.
///
/// # Errors
/// There is no such record, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { what, target } = options;
    let in_json = target.json;
    target.run(async |operator| explain(&what, operator, in_json).await).await
}

async fn explain(what: &What, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let reader = LedgerReader::new(&operator.store);
    let (record, earned, evaluation) = match what {
        What::Activity { id } => {
            let found = with_spinner("reading the activity", reader.activity(id)).await?;
            let activity = found.ok_or_else(|| Failure::NoRecord(format!("activity {id}")))?;
            (format!("activity {id}"), activity.earned.clone(), activity.evaluation()?)
        }
        What::Player { player, record } => {
            let found = with_spinner("reading the request", reader.player_record(player, record)).await?;
            let request = match found {
                Some(PlayerRecord::Request(request)) => request,
                Some(PlayerRecord::Refund(refund)) => return Err(Failure::IsRefund(refund.order)),
                Some(PlayerRecord::Erased(_)) | None => {
                    return Err(Failure::NoRecord(format!("request {record} of player {player}")));
                }
            };
            (format!("request {record} of player {player}"), request.earned.clone(), request.evaluation()?)
        }
    };
    match evaluation {
        Some(evaluation) => print(&record, &evaluation, operator, in_json).await,
        None if in_json => {
            say!(
                "{}",
                Value::Object(vec![
                    ("catalogVersion".into(), Value::Null),
                    ("occurrences".into(), Value::Array(Vec::new()))
                ])
            );
            Ok(())
        }
        None => {
            say!(
                "The {} was recorded by version 0.1.0, which did not store the version of its catalog.",
                printable(&record)
            );
            say!("It earned {earned}.");
            Ok(())
        }
    }
}

/// Explains the awards of a record again, with the catalog of its version, and hands the explanations of each occurrence
/// to `show`.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn explain_again<T>(
    evaluation: &Evaluation,
    history: &HistoryReader,
    show: impl FnOnce(&[(&StoredOccurrence, Vec<Explanation<'_>>)]) -> T,
) -> Result<T, StoreError> {
    let catalog = evaluation.catalog(history).await?;
    let explained: Vec<_> = evaluation.occurrences.iter().zip(evaluation.explanations(&catalog)).collect();
    Ok(show(&explained))
}

async fn print(record: &str, evaluation: &Evaluation, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let version = evaluation.basis.catalog_version;
    let history = HistoryReader::new(&operator.store);
    explain_again(evaluation, &history, |explained| {
        if in_json {
            let body = Value::Object(vec![
                ("catalogVersion".into(), whole_number(version)),
                ("occurrences".into(), Value::Array(explained.iter().map(occurrence_json).collect())),
            ]);
            say!("{body}");
            return;
        }
        say!("The {} was evaluated with version {version} of the catalog.", printable(record));
        for (occurrence, rules) in explained {
            say!("{}, at {}:", printable(occurrence.name()), occurrence.at);
            if rules.is_empty() {
                say!("  No rule is defined for it.");
            }
            for explanation in rules {
                say!("  {explanation}");
            }
        }
        if explained.is_empty() {
            say!("It earns nothing: it has no events, or its session is anonymous.");
        }
    })
    .await?;
    Ok(())
}

fn occurrence_json<'v>((occurrence, rules): &'v (&StoredOccurrence, Vec<Explanation<'_>>)) -> Value<'v> {
    Value::Object(vec![
        ("name".into(), Value::String(occurrence.name().into())),
        ("rules".into(), Value::Array(rules.iter().map(Explanation::to_json).collect())),
    ])
}
