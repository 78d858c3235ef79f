//! `punchcard quarantine list`.

use clap::{Args, builder::RangedU64ValueParser};
use punchcard_quarantine::EntryName;
use serde_json::{Value, json};

use super::{
    outcome::reasons,
    source::{Filter, Found, Source},
};
use crate::{
    failure::Failure,
    output::{notice, printable, say},
};

/// List the requests, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard quarantine list --data .punchcard --quarantine quarantine --function send-activity\n  \
    punchcard quarantine list --bucket loyalty-quarantinebucket-1abc --since 2026-11-28T07:00:00Z --json")]
pub struct Options {
    #[command(flatten)]
    filter: Filter,
    /// Maximum number of requests
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    limit: usize,
}

/// Runs the command. What cannot be read is listed as such.
///
/// # Errors
/// The quarantine or an entry cannot be read.
pub async fn run(options: Options, source: &Source, in_json: bool) -> Result<(), Failure> {
    // One more shows whether there are others.
    let most = options.limit + 1;
    let names = source.names(&options.filter, if options.filter.reads() { usize::MAX } else { most }).await?;
    let mut listed = Vec::new();
    let mut unreadable = 0;
    let mut has_more = false;
    for name in names.iter().rev() {
        let Some(found) = source.read(name).await? else { continue };
        match &found {
            Found::Entry(entry) if !options.filter.selects(entry) => continue,
            _ if listed.len() == options.limit => {
                has_more = true;
                break;
            }
            Found::Entry(_) => {}
            Found::Unreadable(_) => unreadable += 1,
        }
        if !in_json {
            if listed.is_empty() {
                say!("{:36}  {:24}  STATUS  {:17}  PATH AND REASON", "ID", "RECEIVED", "FUNCTION");
            }
            say!("{}", printable(&line(name, &found)));
        }
        listed.push(as_json(name, &found));
    }
    if in_json {
        say!("{}", json!({"requests": listed, "hasMore": has_more}));
    } else if listed.is_empty() {
        say!("There are no such requests in the quarantine.");
    }
    if has_more {
        notice(format_args!("there are older requests: use --limit, or a filter"));
    }
    if unreadable > 0 { Err(Failure::UnreadableEntries(unreadable)) } else { Ok(()) }
}

fn line(name: &EntryName, found: &Found) -> String {
    let (id, received, EntryName { function, status, .. }) = (name.id, name.id.received_at(), name);
    let about = match found {
        Found::Entry(entry) => format!("{}  {}", entry.path, reasons(&entry.response)),
        Found::Unreadable(failure) => format!("unreadable: {failure}"),
    };
    format!("{id}  {received}  {status:6}  {function:17}  {about}")
}

fn as_json(name: &EntryName, found: &Found) -> Value {
    let mut value = json!({
        "id": name.id, "receivedAt": name.id.received_at().to_string(), "function": name.function, "status": name.status,
    });
    match found {
        Found::Entry(entry) => {
            value["requestId"] = json!(entry.request_id);
            value["path"] = json!(entry.path);
            value["reasons"] = json!(reasons(&entry.response));
        }
        Found::Unreadable(failure) => value["error"] = json!(failure.to_string()),
    }
    value
}
