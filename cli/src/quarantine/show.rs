//! `punchcard quarantine show`.

use clap::Args;
use punchcard_quarantine::EntryId;

use super::{
    outcome::reasons,
    source::{Found, Source},
};
use crate::{
    failure::Failure,
    output::{printable, say},
};

/// Show a request and why it was rejected
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard quarantine show 019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4 --data .punchcard --quarantine quarantine\n  \
    punchcard quarantine show 019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4 --bucket loyalty-quarantinebucket-1abc --json")]
pub struct Options {
    /// Id of the request
    id: EntryId,
}

/// Runs the command.
///
/// # Errors
/// There is no such request, or it cannot be read.
pub async fn run(options: &Options, source: &Source, in_json: bool) -> Result<(), Failure> {
    let name = source.find(options.id).await?;
    let entry = match source.read(&name).await?.ok_or(Failure::NotQuarantined(options.id))? {
        Found::Entry(entry) => entry,
        Found::Unreadable(failure) => return Err(failure),
    };
    if in_json {
        say!("{}", entry.to_json().map_err(Failure::StoredJson)?);
        return Ok(());
    }
    say!("id        {}", entry.id);
    say!("received  {}", entry.id.received_at());
    say!("request   {}", entry.request_id);
    say!("function  {}", printable(&entry.function));
    say!("status    {}", entry.status);
    say!("reasons   {}", printable(&reasons(&entry.response)));
    say!("\n{} {}", printable(&entry.method), printable(&entry.path));
    for (header, value) in &entry.headers {
        say!("{}: {}", printable(header), printable(&value.text()));
    }
    say!("");
    for line in entry.body.text().lines() {
        say!("{}", printable(line));
    }
    Ok(())
}
