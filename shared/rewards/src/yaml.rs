//! Catalogs as people write them: one YAML 1.2 document with the members of the JSON form.
//!
//! YAML is only another spelling here. What JSON can't say (aliases, tags, numbers like `0x1F` or `007`) is refused
//! rather than guessed at.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
};

use punchcard_models::{
    fault::{Faults, Pointer},
    json::{self, At, MAX_DEPTH, Value},
};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::catalog::Catalog;

/// The demo catalog, whose comments document the format.
pub const DEMO: &str = include_str!("../demo.yaml");

/// The largest catalog, in bytes of JSON: it is stored in one transaction, which ends at 4 MB, and read whole by every
/// function every minute.
const MAX_JSON: usize = 3_000_000;

/// A catalog and the text to store it as.
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

    /// The catalog alone.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// The catalog's canonical JSON text, which [`Catalog::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> &str {
        &self.json
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file, from 1.
    pub line: usize,
    /// The place as a JSON pointer (RFC 6901); empty for the file as a whole.
    pub pointer: String,
    /// What is wrong, as the predicate of a sentence whose subject is the place.
    pub message: String,
}

/// `line 12: /offers/3/unit must be a business unit of this catalog`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.pointer.is_empty() {
            write!(f, "{} ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

/// Reads a catalog.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines. Only a syntax error hides what comes after it.
pub fn read(text: &str) -> Result<Source, Vec<Problem>> {
    let mut reader = Reader { events: Parser::new_from_str(text), lines: HashMap::new(), problems: Vec::new() };
    let tree = match reader.document() {
        Ok(tree) => tree,
        Err(problem) => {
            reader.problems.push(problem);
            return Err(reader.problems);
        }
    };
    let faults = Faults::default();
    let catalog = Catalog::parse(At::root(&tree, &faults));
    for fault in faults {
        // What YAML could not say was not read either: one problem a place is enough.
        if !reader.problems.iter().any(|problem| problem.pointer == fault.pointer) {
            let line = reader.line_of(&fault.pointer);
            reader.problems.push(Problem { line, pointer: fault.pointer, message: fault.message });
        }
    }
    match catalog {
        Ok(catalog) if reader.problems.is_empty() => {
            let json = tree.to_string();
            if json.len() > MAX_JSON {
                let message = format!("the catalog must be at most {MAX_JSON} bytes of JSON, not {}", json.len());
                return Err(vec![Problem { line: 1, pointer: String::new(), message }]);
            }
            Ok(Source { catalog, json })
        }
        _ => {
            // What is said of the whole file comes last.
            reader.problems.sort_by_key(|problem| (problem.pointer.is_empty(), problem.line));
            Err(reader.problems)
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// By pointer; a member's is its key's.
    lines: HashMap<String, usize>,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, usize), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => {
                Err(Problem { line: error.marker().line(), pointer: String::new(), message: error.info().to_owned() })
            }
            None => Ok((Event::StreamEnd, 1)),
        }
    }

    fn document(&mut self) -> Result<Value<'static>, Problem> {
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(document.unwrap_or(Value::Null)),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (_, line) if document.is_some() => {
                    return Err(problem(line, Pointer::Root, "must be the only document of the file"));
                }
                (event, line) => document = Some(self.value(event, line, Pointer::Root, 1)?),
            }
        }
    }

    fn value(
        &mut self,
        event: Event<'t>,
        line: usize,
        at: Pointer<'_>,
        depth: usize,
    ) -> Result<Value<'static>, Problem> {
        self.lines.entry(at.to_string()).or_insert(line);
        if let Event::Scalar(.., Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) = event {
            self.note(line, at, "must not have a tag");
        }
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if depth > MAX_DEPTH => {
                Err(problem(line, at, &format!("must not be nested deeper than {MAX_DEPTH}")))
            }
            Event::SequenceStart(..) => self.sequence(at, depth + 1),
            Event::MappingStart(..) => self.mapping(at, depth + 1),
            Event::Scalar(text, ScalarStyle::Plain, ..) => Ok(self.plain(text, line, at)),
            Event::Scalar(text, ..) => Ok(Value::String(Cow::Owned(text.into_owned()))),
            _ => {
                self.note(line, at, "must be written out, not be an alias");
                Ok(Value::Null)
            }
        }
    }

    fn sequence(&mut self, at: Pointer<'_>, depth: usize) -> Result<Value<'static>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, line) => items.push(self.value(event, line, Pointer::Item(&at, items.len()), depth)?),
            }
        }
    }

    fn mapping(&mut self, at: Pointer<'_>, depth: usize) -> Result<Value<'static>, Problem> {
        let (mut members, mut known) = (Vec::new(), HashSet::new());
        loop {
            let (key, key_line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(members)),
                (Event::Scalar(key, ..), line) => (key.into_owned(), line),
                (_, line) => return Err(problem(line, at, "must have texts as keys")),
            };
            let place = Pointer::Member(&at, &key);
            let repeated = !known.insert(key.clone());
            if repeated {
                self.note(key_line, place, "appears more than once");
            }
            self.lines.entry(place.to_string()).or_insert(key_line);
            let (event, line) = self.next()?;
            let value = self.value(event, line, place, depth)?;
            if !repeated {
                members.push((Cow::Owned(key), value));
            }
        }
    }

    /// A scalar without quotes, by YAML's core schema.
    fn plain(&mut self, text: Cow<'_, str>, line: usize, at: Pointer<'_>) -> Value<'static> {
        match &*text {
            "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
            "true" | "True" | "TRUE" => return Value::Bool(true),
            "false" | "False" | "FALSE" => return Value::Bool(false),
            _ => {}
        }
        if let Some(Value::Number(number)) = json::read(text.as_bytes(), &Faults::default()) {
            return Value::Number(number.into_owned());
        }
        if is_number_in_yaml(&text) {
            self.note(line, at, "must be a number as JSON spells it, or a text in quotes");
        }
        Value::String(Cow::Owned(text.into_owned()))
    }

    fn note(&mut self, line: usize, at: Pointer<'_>, message: &str) {
        self.problems.push(problem(line, at, message));
    }

    /// The line of a place, or of the nearest one around it that is there.
    fn line_of(&self, pointer: &str) -> usize {
        match (self.lines.get(pointer), pointer.rsplit_once('/')) {
            (Some(line), _) => *line,
            (None, Some((parent, _))) => self.line_of(parent),
            (None, None) => 1,
        }
    }
}

fn problem(line: usize, at: Pointer<'_>, message: &str) -> Problem {
    Problem { line, pointer: at.to_string(), message: message.to_owned() }
}

/// Whether the core schema calls a text a number.
fn is_number_in_yaml(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let radix = |prefix, radix| {
        text.strip_prefix(prefix).is_some_and(|digits| !digits.is_empty() && digits.chars().all(|d| d.is_digit(radix)))
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let decimal = !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction);
    radix("0x", 16)
        || radix("0o", 8)
        || matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
        || (decimal && !exponent.is_empty() && digits(exponent))
}
