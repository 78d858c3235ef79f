//! `punchcard quarantine discard`.

use clap::Args;
use serde_json::json;

use super::source::{Found, Selection, Source};
use crate::{
    failure::Failure,
    operator::{confirmed, with_spinner},
    output::say,
};

/// Delete requests without sending them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard quarantine discard 019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4 --data .punchcard --quarantine quarantine\n  \
    punchcard quarantine discard --all --containing A-1001 --bucket loyalty-quarantinebucket-1abc")]
pub struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Delete without confirmation
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// The quarantine cannot be used, the deletion was not confirmed, or what cannot be read may be selected too.
pub async fn run(options: &Options, source: &Source, in_json: bool) -> Result<(), Failure> {
    let Selection { filter, .. } = &options.selection;
    let mut names = options.selection.names(source).await?;
    let mut unreadable = 0;
    if filter.reads() {
        let reading = async {
            let mut selected = Vec::new();
            for name in names {
                match source.read(&name).await? {
                    Some(Found::Entry(entry)) if filter.selects(&entry) => selected.push(name),
                    Some(Found::Unreadable(_)) => unreadable += 1,
                    Some(Found::Entry(_)) | None => {}
                }
            }
            Ok::<_, Failure>(selected)
        };
        names = with_spinner("reading the requests", reading).await?;
    }
    // With --json there is nothing to see that could be confirmed.
    let question = format!("Delete {} requests? This cannot be undone.", names.len());
    if !names.is_empty() && !options.yes && (in_json || !confirmed(&question)?) {
        return Err(Failure::NotConfirmed);
    }
    for name in &names {
        source.remove(name).await?;
    }
    if in_json {
        say!("{}", json!({"discarded": names.iter().map(|name| name.id).collect::<Vec<_>>()}));
    } else {
        say!("{} requests deleted", names.len());
    }
    if unreadable > 0 { Err(Failure::UnreadableEntries(unreadable)) } else { Ok(()) }
}
