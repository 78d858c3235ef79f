//! `punchcard customer export`.

use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use punchcard_store::{Exported, PersonReader};
use serde_json::json;
use tempfile::NamedTempFile;

use super::Whose;
use crate::{
    failure::Failure,
    operator::{Operator, with_spinner},
    output::{self, notice, say},
};

/// Number of bytes that are written to standard output at once.
const BUFFERED_BYTES: usize = 64 * 1024;

/// Write every item that the store has of a customer
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard customer export A-1001 --stack loyalty --out a-1001.ndjson\n  \
    punchcard customer export --player player123 --data .punchcard --format json\n\n\
    Each item is an object with its table and all of its attributes. The table of sessions and, for players, that of\n\
    members are scanned, because they have no index by account or customer.")]
pub struct Options {
    #[command(flatten)]
    whose: Whose,
    /// File to write, which only its owner can read [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A line for each item, or one array
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Json,
}

pub async fn run(options: &Options, operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let reader = PersonReader::new(&operator.store);
    let person = with_spinner("looking for the customer", reader.find(&options.whose.ids())).await?;
    if person.ids.is_empty() {
        return Err(Failure::NoCustomer);
    }
    let mut to = match &options.out {
        Some(path) => To::file(path)?,
        None => To::Output(String::new()),
    };
    let mut count = 0usize;
    let write = |Exported { table, json }: Exported| {
        let before = match (options.format, count) {
            (Format::Ndjson, _) => "",
            (Format::Json, 0) => "[",
            (Format::Json, _) => ",\n",
        };
        let after = if options.format == Format::Ndjson { "\n" } else { "" };
        count += 1;
        to.write(&format!("{before}{{\"table\":\"{table}\",\"record\":{json}}}{after}"))
    };
    reader.export(&person, write).await?;
    if options.format == Format::Json {
        to.write(if count == 0 { "[]\n" } else { "]\n" })?;
    }
    to.finish()?;
    match &options.out {
        Some(path) if in_json => say!("{}", json!({"items": count, "file": path})),
        _ => notice(format_args!("exported {count} items")),
    }
    Ok(())
}

/// The destination of an export.
enum To {
    /// A temporary file, which gets its name when it is complete. Only its owner can read it.
    File(BufWriter<NamedTempFile>, PathBuf),
    /// Standard output, with what is not written yet.
    Output(String),
}

impl To {
    fn file(path: &Path) -> Result<Self, Failure> {
        // The same directory is on the same file system.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".punchcard-export-").tempfile_in(directory);
        let file = file.map_err(|error| Failure::Write(path.to_owned(), error))?;
        Ok(To::File(BufWriter::new(file), path.to_owned()))
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            To::File(file, path) => {
                file.write_all(text.as_bytes()).map_err(|error| Failure::Write(path.clone(), error))?;
            }
            To::Output(buffer) => {
                buffer.push_str(text);
                if buffer.len() >= BUFFERED_BYTES {
                    output::write(format_args!("{buffer}"));
                    buffer.clear();
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            To::File(file, path) => {
                let failed = |error| Failure::Write(path.clone(), error);
                let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&path).map_err(|error| failed(error.error))?;
            }
            To::Output(buffer) => output::write(format_args!("{buffer}")),
        }
        Ok(())
    }
}
