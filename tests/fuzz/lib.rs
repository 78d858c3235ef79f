//! Inputs of the fuzz targets: good ones, and damaged ones.

use std::{fmt, fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bolero::generator::{TypeGenerator, ValueGenerator, produce};
use serde_json::Value;

/// An input, shown as text.
#[derive(Clone)]
pub struct Input(pub Vec<u8>);

impl Input {
    /// As text, what isn't UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// The inputs kept in `corpus/NAME`: hard ones, and those that were found.
///
/// # Panics
/// The folder isn't there.
#[must_use]
pub fn corpus(name: &str) -> Vec<Input> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.into_iter().map(|file| Input(fs::read(file).expect("a file"))).collect()
}

/// The bodies of a function's sample events.
///
/// # Panics
/// There are none.
#[must_use]
pub fn bodies(function: &str) -> Vec<Input> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let files = fs::read_dir(folder).expect("the folder of events").map(|entry| entry.expect("an entry").path());
    let of_function = |file: &Path| {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        name.starts_with(&format!("{function}."))
    };
    let mut files: Vec<_> = files.filter(|file| of_function(file)).collect();
    files.sort();
    let read = |file| {
        let event: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
        let body = event["body"].as_str().unwrap_or_default();
        Input(match event["isBase64Encoded"].as_bool() {
            Some(true) => BASE64_STANDARD.decode(body).expect("base64"),
            _ => body.as_bytes().to_vec(),
        })
    };
    let bodies: Vec<_> = files.into_iter().map(read).collect();
    assert!(!bodies.is_empty(), "{function} has no events");
    bodies
}

/// The place of a change, in 65,536ths of the input's length.
type Place = u16;

/// A change to an input.
#[derive(Debug, TypeGenerator)]
enum Change {
    /// Puts in any bytes.
    Bytes(Place, Vec<u8>),
    /// Puts in something that means something.
    Token(Place, u8),
    /// Puts something that means something in the place of a byte.
    Replace(Place, u8),
    /// Takes out some bytes.
    Cut(Place, u8),
    /// Repeats some bytes.
    Repeat(Place, u8, u8),
    /// Copies some bytes to another place.
    Copy(Place, u8, Place),
    /// Turns a bit over.
    Turn(Place, u8),
}

/// Tokens that one parser or another understands.
const TOKENS: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "null",
    "true",
    "0",
    "-",
    "1e999",
    "1e-999",
    "0.1",
    "-0",
    "9223372036854775808",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\udc00",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{1f3b2}",
    " ",
    "\n",
    "\t",
    "'",
    "#",
    "&a",
    "*a",
    "!!str",
    "|",
    ">",
    "-",
    "?",
    "---",
    "...",
    "<<: ",
    "%",
    "+",
    "=",
    "&",
    ".",
    "/",
    "~",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
];

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        let at = |place: Place, length: usize| (usize::from(place) * (length + 1)) >> 16;
        let token = |token: u8| TOKENS[usize::from(token) % TOKENS.len()].bytes();
        let range = |place: Place, count: u8, input: &[u8]| {
            let start = at(place, input.len());
            start..input.len().min(start + usize::from(count))
        };
        match self {
            Change::Bytes(place, bytes) => {
                let start = at(*place, input.len());
                input.splice(start..start, bytes.iter().copied());
            }
            Change::Token(place, index) => {
                let start = at(*place, input.len());
                input.splice(start..start, token(*index));
            }
            Change::Replace(place, index) => {
                input.splice(range(*place, 1, input), token(*index));
            }
            Change::Cut(place, count) => {
                input.drain(range(*place, *count, input));
            }
            Change::Repeat(place, count, times) => {
                let range = range(*place, *count, input);
                let repeated = input[range.clone()].repeat(usize::from(*times));
                input.splice(range.end..range.end, repeated);
            }
            Change::Copy(place, count, to) => {
                let copied = input[range(*place, *count, input)].to_vec();
                let start = at(*to, input.len());
                input.splice(start..start, copied);
            }
            Change::Turn(place, bit) => {
                let index = at(*place, input.len());
                if let Some(byte) = input.get_mut(index) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }
}

/// Inputs made from good ones by a few changes. An empty one is among the good ones, so that anything can be made.
#[must_use]
pub fn spoilt(mut seeds: Vec<Input>) -> impl ValueGenerator<Output = Input> {
    seeds.push(Input(Vec::new()));
    let changes = produce::<Vec<Change>>().with().len(0..12usize);
    (0..seeds.len(), changes).map_gen(move |(seed, changes): (usize, Vec<Change>)| {
        let mut input = seeds[seed].clone();
        for change in &changes {
            change.apply(&mut input.0);
        }
        input
    })
}
