//! `punchcard adjust`: adds points to a balance, or takes them away.

use clap::Args;
use punchcard_models::{
    correction::{Adjustment, DEFAULT_POINTS_TYPE},
    ids::CorrelationId,
};
use punchcard_rewards::Catalog;
use punchcard_store::{Corrected, Mode};
use serde_json::json;
use uuid::Uuid;

use crate::{
    catalog::parse as parse_catalog,
    correct::{Member, Wanted, balance_of, issuer},
    failure::Failure,
    operator::{Operator, Target, confirmed, with_spinner},
    output::{notice, printable, say},
};

/// Add points to a balance, or take them away
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard adjust 50 --correlation session-1 --unit GROCERY \
    --note 'late delivery' --stack loyalty\n  \
    punchcard adjust -20 --correlation session-1 --unit GROCERY --note 'paid twice' --reference case-4711 --yes\n\n\
    A correlation id that a session tied to an account adjusts the account's balance.\n\
    With --reference, the command can be repeated: it adjusts the balance once.")]
pub struct Options {
    /// Points to add; negative to take them away
    #[arg(allow_negative_numbers = true)]
    points: i64,
    /// Correlation id of the member
    #[arg(long, value_name = "ID")]
    correlation: CorrelationId,
    /// Business unit, one of the catalog's
    #[arg(long, value_name = "UNIT")]
    unit: String,
    /// Points type
    #[arg(long, value_name = "TYPE", default_value = DEFAULT_POINTS_TYPE)]
    points_type: String,
    /// Reason, which the record keeps
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// Id of the adjustment in your own systems [default: a random one]
    #[arg(long, value_name = "ID")]
    reference: Option<String>,
    /// The one who decided [default: the ARN of the AWS credentials, or the local user]
    #[arg(long, value_name = "ID")]
    issuer: Option<String>,
    /// Adjust without confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

/// Runs the command.
///
/// # Errors
/// The adjustment is not valid, not confirmed or refused, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    options.target.run(async |operator| adjust(&options, operator).await).await
}

async fn adjust(options: &Options, operator: &Operator) -> Result<(), Failure> {
    let in_json = options.target.json;
    let rules = with_spinner("reading the catalog", operator.admin.rules_json()).await?;
    let catalog = rules.as_deref().map(parse_catalog).transpose()?.unwrap_or_default();
    let adjustment = options.adjustment(&catalog, operator).await?;

    let correlation_id = &options.correlation;
    let member = with_spinner("reading the session", Member::of(operator, correlation_id)).await?;
    let balance = async || -> Result<i64, Failure> {
        let balances = with_spinner("reading the balances", member.balances(operator)).await?;
        Ok(balance_of(&balances, &adjustment.unit, &adjustment.points_type))
    };
    let before = balance().await?;
    if !in_json {
        let subject = format!("{}  {} {}", member.id, adjustment.unit, adjustment.points_type);
        let after = before.saturating_add(adjustment.amount);
        say!("{}: {before} {:+} = {after} points", printable(&subject), adjustment.amount);
    }
    // With --json there is nothing to see that could be confirmed.
    if !options.yes && (in_json || !confirmed("Adjust?")?) {
        return Err(Failure::NotConfirmed);
    }
    // Printed before the write: after a failure, the command can be repeated with it.
    let reference = &adjustment.reference;
    notice(format_args!("the reference of the adjustment is {}", printable(reference)));

    let id = adjustment.id(correlation_id);
    let adjusting = member.adjust(operator, &catalog, &adjustment, Mode::Write);
    let is_new = match with_spinner("adjusting the balance", adjusting).await? {
        Corrected::New => true,
        Corrected::Replay => false,
        Corrected::ReferenceReused => return Err(Failure::ReferenceUsed(reference.clone())),
        Corrected::BelowZero => return Err(Failure::BelowZero),
    };
    if is_new && !in_json {
        say!("Adjusted. The record is {}.", printable(&id));
    } else if !in_json {
        say!("This reference was adjusted before, by {}. Nothing was changed.", printable(&id));
    }
    // Not computed: others may have changed the balance meanwhile.
    let after = balance().await?;
    if in_json {
        say!(
            "{}",
            json!({"transactionId": &*id, "reference": reference, "new": is_new, "before": before, "after": after})
        );
    } else {
        say!("The balance is {after} points.");
    }
    Ok(())
}

impl Options {
    /// Returns the adjustment, by the rules of the API.
    async fn adjustment(&self, catalog: &Catalog, operator: &Operator) -> Result<Adjustment, Failure> {
        let issuer = match &self.issuer {
            Some(issuer) => Some(issuer.clone()),
            None => issuer(operator).await,
        };
        let reference = self.reference.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let wanted = Wanted {
            unit: &self.unit,
            points_type: &self.points_type,
            points: self.points,
            note: &self.note,
            reference: &reference,
            issuer: &issuer.ok_or(Failure::NoIssuer)?,
        };
        wanted.parse(catalog)
    }
}
