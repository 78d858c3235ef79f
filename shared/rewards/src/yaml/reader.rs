//! Reads YAML into the JSON tree that catalogs are parsed from, and remembers lines.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use punchcard_models::{
    fault::{Faults, Pointer},
    json::{self, MAX_DEPTH, Value},
};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::Problem;

/// A YAML document as a JSON tree.
pub(super) struct Document {
    /// The tree, with `null` in place of each value that JSON cannot express.
    pub tree: Value<'static>,
    /// The line of each value.
    pub lines: Lines,
    /// The places with YAML features that JSON cannot express.
    pub problems: Vec<Problem>,
}

/// Lines by JSON pointer. The line of an object's member is the line of its key.
#[derive(Default)]
pub(super) struct Lines(HashMap<String, usize>);

impl Lines {
    /// The line of a place or, if the file doesn't have it, of its nearest ancestor.
    pub fn of(&self, pointer: &str) -> usize {
        match (self.0.get(pointer), pointer.rsplit_once('/')) {
            (Some(line), _) => *line,
            (None, Some((parent, _))) => self.of(parent),
            (None, None) => 1,
        }
    }
}

/// Reads a file that has one document.
///
/// # Errors
/// A syntax error, after the problems found before it.
pub(super) fn document(text: &str) -> Result<Document, Vec<Problem>> {
    let mut reader = Reader { events: Parser::new_from_str(text), lines: Lines::default(), problems: Vec::new() };
    match reader.document() {
        Ok(tree) => Ok(Document { tree, lines: reader.lines, problems: reader.problems }),
        Err(problem) => {
            reader.problems.push(problem);
            Err(reader.problems)
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    lines: Lines,
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
                    return Err(problem(line, Pointer::Root, "must be the only document in the file"));
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
        self.lines.0.entry(at.to_string()).or_insert(line);
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
                self.note(line, at, "must not be an alias");
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
                (_, line) => return Err(problem(line, at, "must have strings as keys")),
            };
            let place = Pointer::Member(&at, &key);
            let repeated = !known.insert(key.clone());
            if repeated {
                self.note(key_line, place, "appears more than once");
            }
            self.lines.0.entry(place.to_string()).or_insert(key_line);
            let (event, line) = self.next()?;
            let value = self.value(event, line, place, depth)?;
            if !repeated {
                members.push((Cow::Owned(key), value));
            }
        }
    }

    /// Resolves a scalar without quotes by YAML's core schema.
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
            self.note(line, at, "must be a number in JSON notation, or a quoted string");
        }
        Value::String(Cow::Owned(text.into_owned()))
    }

    fn note(&mut self, line: usize, at: Pointer<'_>, message: &str) {
        self.problems.push(problem(line, at, message));
    }
}

fn problem(line: usize, at: Pointer<'_>, message: &str) -> Problem {
    Problem { line, pointer: at.to_string(), message: message.to_owned() }
}

/// Returns true if YAML's core schema resolves the text to a number.
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
