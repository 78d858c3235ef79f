//! Parsing and validation of catalogs in YAML.
//!
//! A catalog is one YAML 1.2 document with the members of the stored JSON form. YAML is only another notation here:
//! anything that JSON cannot express (aliases, tags, numbers like `0x1F` or `007`) is an error. So is a catalog with
//! awards that the store can never hold, or one that is not proven to stay within its budget.
//!
//! ```
//! let problems = punchcard_rewards::yaml::read("rewards: on\n").expect_err("a problem");
//! assert_eq!(problems[0].to_string(), "line 1: /rewards must be enabled or disabled");
//! ```

mod iana;
mod reader;
mod storable;

use std::{error::Error, fmt};

use punchcard_models::{
    fault::Faults,
    json::{self, At, Value},
};

use self::reader::Document;
use crate::{
    applied::{APPLIED, Applied},
    bounds::Excess,
    catalog::Catalog,
    shares::{self, Shares},
};

/// The demo catalog. Its comments document the format.
pub const DEMO: &str = include_str!("../demo.yaml");

/// Maximum size of a catalog in bytes of JSON. A catalog is stored in one transaction, which holds 4 MB, and functions
/// keep it in memory.
const MAX_JSON: usize = 3_000_000;

/// A valid catalog and its stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    catalog: Catalog,
    json: String,
}

impl Source {
    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Returns the catalog without the text.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// The catalog as canonical JSON, without what is added when it is applied.
    #[must_use]
    pub fn to_json(&self) -> &str {
        &self.json
    }

    /// The catalog as it is stored, which [`Catalog::from_json`] reads: with the offsets of its time zone, and these shares
    /// of total limits.
    #[must_use]
    pub fn to_applied_json(&self, shares: &Shares) -> String {
        applied(&self.json, &self.catalog, shares)
    }
}

/// Adds to a catalog what a stored one has beside its source.
#[must_use]
pub fn applied(source: &str, catalog: &Catalog, shares: &Shares) -> String {
    let zone = format!(r#""timezone":{}"#, catalog.zone().to_json());
    let shares = format!(r#""shares":{}"#, shares::to_json(shares));
    let is_needed = |part: &&String| !part.ends_with("[]") && !part.ends_with("{}");
    let parts: Vec<_> = [zone, shares].iter().filter(is_needed).cloned().collect();
    match source.strip_suffix('}') {
        Some(members) if !parts.is_empty() => {
            let comma = if members == "{" { "" } else { "," };
            format!(r#"{members}{comma}"{APPLIED}":{{{}}}}}"#, parts.join(","))
        }
        _ => source.to_owned(),
    }
}

/// Splits a stored catalog into its source and the shares of its total limits. Text that cannot be read is a source.
#[must_use]
pub fn source_of(stored: &str) -> (String, Shares) {
    let faults = Faults::default();
    let Some(Value::Object(mut members)) = json::read(stored.as_bytes(), &faults) else {
        return (stored.to_owned(), Shares::new());
    };
    let Some(index) = members.iter().position(|(name, _)| name == APPLIED) else {
        return (stored.to_owned(), Shares::new());
    };
    let (_, value) = members.remove(index);
    let applied = Applied::parse(At::root(&value, &faults)).unwrap_or_default();
    (Value::Object(members).to_string(), applied.shares.into_iter().collect())
}

/// A problem of a catalog and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file, starting at 1.
    pub line: usize,
    /// The place as a JSON pointer (RFC 6901), empty for the whole file.
    pub pointer: String,
    /// The problem, as the predicate of a sentence whose subject is the place.
    pub message: String,
}

/// For example `line 12: /offers/3/unit must be one of the catalog's business units`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.pointer.is_empty() {
            write!(f, "{} ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

/// Reads and checks a catalog.
///
/// # Errors
/// All problems, ordered by line; those of the whole file come last. Only a syntax error hides the problems after it. A
/// catalog that is not proven to stay within its budget has a problem for each number of the budget, if it has no other.
pub fn read(text: &str) -> Result<Source, Vec<Problem>> {
    let (source, over_budget) = read_with_any_budget(text)?;
    if over_budget.is_empty() { Ok(source) } else { Err(over_budget) }
}

/// Reads and checks a catalog like [`read`], which may be over its budget. Returns the problems of the budget beside it, so
/// that its bounds can be shown as well.
///
/// # Errors
/// All problems but those of the budget.
pub fn read_with_any_budget(text: &str) -> Result<(Source, Vec<Problem>), Vec<Problem>> {
    let Document { tree, lines, mut problems } = reader::document(text)?;
    let faults = Faults::default();
    let catalog = Catalog::parse_source(At::root(&tree, &faults), &[], iana::zone);
    for fault in faults {
        // A value that the reader rejected was replaced by `null`. One problem per place is enough.
        if !problems.iter().any(|problem| problem.pointer == fault.pointer) {
            let line = lines.of(&fault.pointer);
            problems.push(Problem { line, pointer: fault.pointer, message: fault.message });
        }
    }
    match catalog {
        Ok(catalog) if problems.is_empty() => {
            let json = tree.to_string();
            if json.len() > MAX_JSON {
                let message = format!("the catalog must be at most {MAX_JSON} bytes of JSON, not {}", json.len());
                return Err(vec![Problem { line: 1, pointer: String::new(), message }]);
            }
            let unstorable = storable::find_unstorable(&catalog).into_iter();
            let problems: Vec<_> = unstorable
                .map(|found| Problem {
                    line: lines.of(found.pointer),
                    pointer: found.pointer.to_owned(),
                    message: found.message,
                })
                .collect();
            if !problems.is_empty() {
                return Err(problems);
            }
            let over_budget = catalog.over_budget().into_iter().map(|Excess { pointer, message }| Problem {
                line: lines.of(&pointer),
                pointer,
                message,
            });
            let over_budget = over_budget.collect();
            Ok((Source { catalog, json }, over_budget))
        }
        _ => {
            problems.sort_by_key(|problem| (problem.pointer.is_empty(), problem.line));
            Err(problems)
        }
    }
}
