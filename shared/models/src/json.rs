//! Strict JSON (RFC 8259), read into one borrowed tree that all parsers share.
//!
//! `serde_json` reads the text. This module refuses two more things, even inside unknown members: a key that appears
//! twice in an object, and nesting deeper than [`MAX_DEPTH`]. Numbers keep their exact decimal value, which a double
//! would round.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{
    decimal::Decimal,
    fault::{FaultKind, Faults, Noted, Pointer},
};

/// The maximum nesting depth. The root counts as 1.
pub const MAX_DEPTH: usize = 16;

/// Maximum length of a string other than an id, in bytes of UTF-8.
pub const MAX_TEXT: usize = 4096;

/// A JSON value, borrowed from the body unless a string has escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number with its exact decimal value.
    Number(Decimal<'a>),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object, in the order sent.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Returns a whole number as JSON.
#[must_use]
pub fn whole_number(number: u64) -> Value<'static> {
    Value::Number(Decimal::from(number))
}

/// Reads a body and notes its faults. A syntax error returns `None`. A repeated key does not, so that the body's other
/// faults are found as well.
pub fn read<'a>(body: &'a [u8], faults: &Faults) -> Option<Value<'a>> {
    if starts_with_byte_order_mark(body) {
        let message = "byte order mark at line 1 column 1: the body must be UTF-8 without one";
        faults.note(Pointer::Root, FaultKind::Malformed, message.to_owned());
        return None;
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let before = &body[..error.valid_up_to()];
            let line = before.split(|&byte| byte == b'\n').count();
            let column = before.rsplit(|&byte| byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
            let message = format!("invalid UTF-8 at line {line} column {column}");
            faults.note(Pointer::Root, FaultKind::Malformed, message);
            return None;
        }
    };
    let reading = Reading { faults, numbers: NumberTexts { text, position: Cell::new(0) } };
    let seed = ValueSeed { reading: &reading, at: Pointer::Root, depth: 1 };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Some(value),
        Err(error) => {
            faults.note(Pointer::Root, FaultKind::Malformed, error.to_string());
            None
        }
    }
}

/// Returns true for the byte order marks of UTF-8, UTF-16 and UTF-32.
#[must_use]
pub fn starts_with_byte_order_mark(body: &[u8]) -> bool {
    const MARKS: [&[u8]; 4] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"];
    MARKS.iter().any(|mark| body.starts_with(mark))
}

struct Reading<'a, 'f> {
    faults: &'f Faults,
    numbers: NumberTexts<'a>,
}

/// The source text of the body's numbers, in order. `serde_json` passes only machine numbers to a visitor, so
/// this cursor follows it through the same text, over syntax that the reader has already accepted.
struct NumberTexts<'a> {
    text: &'a str,
    position: Cell<usize>,
}

impl<'a> NumberTexts<'a> {
    fn next(&self) -> &'a str {
        let bytes = self.text.as_bytes();
        let mut start = self.position.get();
        loop {
            match bytes.get(start) {
                Some(b'"') => start = end_of_string(bytes, start),
                Some(b'-' | b'0'..=b'9') | None => break,
                Some(_) => start += 1,
            }
        }
        let length = bytes[start..]
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        self.position.set(start + length);
        &self.text[start..start + length]
    }
}

/// Returns the position after the string that opens at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut position = start + 1;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => return position + 1,
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    bytes.len()
}

#[derive(Clone, Copy)]
struct ValueSeed<'a, 'f, 'p> {
    reading: &'f Reading<'a, 'f>,
    at: Pointer<'p>,
    depth: usize,
}

impl<'a> ValueSeed<'a, '_, '_> {
    fn deeper<E: de::Error>(&self) -> Result<usize, E> {
        if self.depth > MAX_DEPTH {
            return Err(E::custom(format_args!("nesting deeper than {MAX_DEPTH}")));
        }
        Ok(self.depth + 1)
    }

    fn number(&self) -> Value<'a> {
        Value::Number(Decimal::from_json(self.reading.numbers.next()))
    }
}

impl<'a> DeserializeSeed<'a> for ValueSeed<'a, '_, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ValueSeed<'a, '_, '_> {
    type Value = Value<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'a>, E> {
        Ok(self.number())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'a>, E> {
        Ok(self.number())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'a>, E> {
        Ok(self.number())
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'a>, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Value<'a>, A::Error> {
        let depth = self.deeper()?;
        let mut array = Vec::new();
        loop {
            let at = Pointer::Item(&self.at, array.len());
            match items.next_element_seed(ValueSeed { reading: self.reading, at, depth })? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Value<'a>, A::Error> {
        let depth = self.deeper()?;
        let mut object: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let mut keys = Keys::default();
        while let Some(key) = members.next_key_seed(KeySeed)? {
            let at = Pointer::Member(&self.at, &key);
            let value = members.next_value_seed(ValueSeed { reading: self.reading, at, depth })?;
            if keys.has(&object, &key) {
                self.reading.faults.note(at, FaultKind::Repeated, "appears more than once".to_owned());
            } else {
                object.push((key, value));
            }
        }
        Ok(Value::Object(object))
    }
}

/// Detects repeated keys: by linear search in small objects, which nearly all are, and by hash in larger ones.
#[derive(Default)]
struct Keys(HashSet<String>);

impl Keys {
    const SMALL: usize = 16;

    fn has(&mut self, object: &[(Cow<'_, str>, Value<'_>)], key: &str) -> bool {
        if object.len() < Self::SMALL {
            return object.iter().any(|(known, _)| known == key);
        }
        if self.0.is_empty() {
            self.0.extend(object.iter().map(|(known, _)| known.clone().into_owned()));
        }
        !self.0.insert(key.to_owned())
    }
}

struct KeySeed;

impl<'a> DeserializeSeed<'a> for KeySeed {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeySeed {
    type Value = Cow<'a, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The canonical form: no white space, members ordered by the bytes of their keys, numbers by their decimal value.
/// Equal values have the same text. `{:#}` adds line breaks and indentation.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 1)
    }
}

impl Value<'_> {
    /// Returns the same value, independent of the body that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Number(number) => Value::Number(number.into_owned()),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Object(members) => {
                let owned =
                    |(key, value): (Cow<'_, str>, Value<'_>)| (Cow::Owned(key.into_owned()), value.into_owned());
                Value::Object(members.into_iter().map(owned).collect())
            }
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, depth: usize| {
            if f.alternate() { write!(f, "\n{:1$}", "", 2 * depth) } else { Ok(()) }
        };
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => write_string(f, text),
            Value::Array(items) if items.is_empty() => f.write_str("[]"),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "[" } else { "," })?;
                    line(f, depth)?;
                    item.write(f, depth + 1)?;
                }
                line(f, depth - 1)?;
                f.write_str("]")
            }
            Value::Object(members) if members.is_empty() => f.write_str("{}"),
            Value::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                for (index, (key, value)) in sorted.into_iter().enumerate() {
                    f.write_str(if index == 0 { "{" } else { "," })?;
                    line(f, depth)?;
                    write_string(f, key)?;
                    f.write_str(if f.alternate() { ": " } else { ":" })?;
                    value.write(f, depth + 1)?;
                }
                line(f, depth - 1)?;
                f.write_str("}")
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

/// A value with its place in the body and the list to note its faults in.
#[derive(Debug, Clone, Copy)]
pub struct At<'v, 'a> {
    /// The value.
    pub value: &'v Value<'a>,
    pointer: Pointer<'v>,
    faults: &'v Faults,
}

impl<'v, 'a> At<'v, 'a> {
    /// Creates the root of a body.
    #[must_use]
    pub fn root(value: &'v Value<'a>, faults: &'v Faults) -> Self {
        At { value, pointer: Pointer::Root, faults }
    }

    /// Notes that this value is not valid. The message is a predicate: `must be …`.
    pub fn invalid(&self, message: impl Into<String>) -> Noted {
        self.fault(FaultKind::Invalid, message)
    }

    /// Notes a fault of this value.
    pub fn fault(&self, kind: FaultKind, message: impl Into<String>) -> Noted {
        let message = message.into();
        match self.pointer {
            // The pointer is empty, so the message has to name the subject.
            Pointer::Root => self.fault_of_whole(kind, format!("the body {message}")),
            Pointer::Member(..) | Pointer::Item(..) => {
                self.faults.note(self.pointer, kind, message);
                Noted
            }
        }
    }

    /// Notes a fault as a whole sentence, without a place.
    pub fn fault_of_whole(&self, kind: FaultKind, sentence: impl Into<String>) -> Noted {
        self.faults.note(Pointer::Root, kind, sentence.into());
        Noted
    }

    /// Returns the string, which may have any length.
    ///
    /// # Errors
    /// Not a string.
    pub fn string(&self) -> Result<&'v str, Noted> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.invalid("must be a string")),
        }
    }

    /// Returns the string of at most `max` bytes of UTF-8.
    ///
    /// # Errors
    /// Not a string, or longer.
    pub fn string_up_to(&self, max: usize) -> Result<&'v str, Noted> {
        let text = self.string()?;
        if text.len() > max {
            return Err(self.invalid(format!("must be at most {max} bytes of UTF-8")));
        }
        Ok(text)
    }

    /// Returns the boolean.
    ///
    /// # Errors
    /// Not a boolean.
    pub fn bool(&self) -> Result<bool, Noted> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.invalid("must be true or false")),
        }
    }

    /// Returns the whole number, which must be at least `min`. 1.0 and 1e0 are whole.
    ///
    /// # Errors
    /// Not a number, not whole, below `min`, or beyond 2^63 − 1.
    pub fn integer_from(&self, min: u64) -> Result<u64, Noted> {
        let Value::Number(number) = self.value else {
            return Err(self.invalid("must be an integer"));
        };
        number
            .to_u64()
            .filter(|&value| value >= min && i64::try_from(value).is_ok())
            .ok_or_else(|| self.invalid(format!("must be an integer from {min} to {}", i64::MAX)))
    }

    /// Returns the members of the object.
    ///
    /// # Errors
    /// Not an object.
    pub fn object(self) -> Result<Members<'v, 'a>, Noted> {
        match self.value {
            Value::Object(members) => Ok(Members { at: self, members }),
            _ => Err(self.invalid("must be an object")),
        }
    }

    /// Parses every item of the array. All faulty items are noted, not only the first.
    ///
    /// # Errors
    /// Not an array, a number of items outside `count`, or a faulty item.
    pub fn items<T>(
        &self,
        count: std::ops::RangeInclusive<usize>,
        mut parse: impl FnMut(At<'_, 'a>) -> Result<T, Noted>,
    ) -> Result<Vec<T>, Noted> {
        let Value::Array(items) = self.value else {
            return Err(self.invalid("must be an array"));
        };
        if !count.contains(&items.len()) {
            let (least, most) = count.into_inner();
            return Err(self.invalid(match least {
                0 => format!("must have at most {most} items"),
                _ => format!("must have {least} to {most} items"),
            }));
        }
        let parsed: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let pointer = Pointer::Item(&self.pointer, index);
                parse(At { value, pointer, faults: self.faults })
            })
            .collect();
        parsed.into_iter().collect()
    }
}

/// The members of an object. Unknown members are ignored.
#[derive(Debug, Clone, Copy)]
pub struct Members<'v, 'a> {
    /// The object itself.
    pub at: At<'v, 'a>,
    members: &'v [(Cow<'a, str>, Value<'a>)],
}

impl<'v, 'a> Members<'v, 'a> {
    fn value(&self, name: &str) -> Option<&'v Value<'a>> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Calls `f` with the member `name`, `null` included, or with `None` if it is absent.
    pub fn with<T>(&self, name: &str, f: impl FnOnce(Option<At<'_, 'a>>) -> T) -> T {
        let pointer = Pointer::Member(&self.at.pointer, name);
        f(self.value(name).map(|value| At { value, pointer, faults: self.at.faults }))
    }

    /// Notes a fault of the member `name`, which may be absent.
    pub fn fault(&self, name: &str, kind: FaultKind, message: impl Into<String>) -> Noted {
        self.at.faults.note(Pointer::Member(&self.at.pointer, name), kind, message.into());
        Noted
    }

    /// Parses a required member.
    ///
    /// # Errors
    /// The member is absent, `null` or faulty.
    pub fn required<T>(&self, name: &str, parse: impl FnOnce(At<'_, 'a>) -> Result<T, Noted>) -> Result<T, Noted> {
        self.with(name, |member| match member {
            None => Err(self.fault(name, FaultKind::Missing, "is required")),
            Some(At { value: Value::Null, .. }) => Err(self.fault(name, FaultKind::Null, "must not be null")),
            Some(at) => parse(at),
        })
    }

    /// Parses an optional member. `null` is the same as absent.
    ///
    /// # Errors
    /// The member is faulty.
    pub fn optional<T>(
        &self,
        name: &str,
        parse: impl FnOnce(At<'_, 'a>) -> Result<T, Noted>,
    ) -> Result<Option<T>, Noted> {
        self.with(name, |member| match member {
            None | Some(At { value: Value::Null, .. }) => Ok(None),
            Some(at) => parse(at).map(Some),
        })
    }

    /// Parses every member, in the order sent. All faulty members are noted, not only the first.
    ///
    /// # Errors
    /// A member is faulty.
    pub fn each<T>(&self, mut parse: impl FnMut(&'v str, At<'_, 'a>) -> Result<T, Noted>) -> Result<Vec<T>, Noted> {
        let parsed: Vec<_> = self
            .members
            .iter()
            .map(|(name, value)| {
                let pointer = Pointer::Member(&self.at.pointer, name);
                parse(name, At { value, pointer, faults: self.at.faults })
            })
            .collect();
        parsed.into_iter().collect()
    }
}

/// Reads and parses a whole body.
///
/// # Errors
/// The body has faults, which are in `faults`.
pub fn parse<T>(body: &[u8], faults: &Faults, parse: impl FnOnce(At<'_, '_>) -> Result<T, Noted>) -> Result<T, Noted> {
    let root = read(body, faults).ok_or(Noted)?;
    parse(At::root(&root, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(body: &[u8]) -> Vec<String> {
        let faults = Faults::default();
        read(body, &faults);
        faults.into_iter().map(|fault| format!("{:?} {} {}", fault.kind, fault.pointer, fault.message)).collect()
    }

    fn canonical(body: &str) -> String {
        let faults = Faults::default();
        let value = read(body.as_bytes(), &faults).expect("valid JSON");
        assert!(faults.is_empty());
        value.to_string()
    }

    #[test]
    fn a_trailing_comma_is_refused_with_line_and_column() {
        assert_eq!(faults_of(b"{\n  \"a\": 1,\n}"), ["Malformed  trailing comma at line 3 column 1"]);
    }

    #[test]
    fn every_repeated_key_is_named_at_any_depth() {
        assert_eq!(
            faults_of(br#"{"a":1,"a":2,"b":[{"c/d":1,"\u0063/d":2}]}"#),
            ["Repeated /a appears more than once", "Repeated /b/0/c~1d appears more than once"]
        );
    }

    #[test]
    fn a_repeated_key_is_found_in_a_large_object() {
        let members: Vec<_> = (0..1000).map(|n| format!("\"k{n}\":{n}")).collect();
        let body = format!("{{{},\"k7\":0,\"k999\":0}}", members.join(","));
        assert_eq!(
            faults_of(body.as_bytes()),
            ["Repeated /k7 appears more than once", "Repeated /k999 appears more than once"]
        );
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(faults_of(nested(MAX_DEPTH).as_bytes()).is_empty());
        let refused = faults_of(nested(MAX_DEPTH + 1).as_bytes());
        assert!(refused[0].contains("nesting deeper than 16 at line 1 column"), "{refused:?}");
        assert_eq!(faults_of(nested(100_000).as_bytes()).len(), 1);
    }

    #[test]
    fn malformed_text_is_refused() {
        for body in [
            &b""[..],
            b"{",
            b"nul",
            b"{} {}",
            b"{'a':1}",
            b"[1,]",
            b"[01]",
            b"[.5]",
            b"[+1]",
            b"[1e999]",
            b"[NaN]",
            b"\"\\ud800\"",
            b"\"\\udc00x\"",
            b"\"\t\"",
            b"// c\n1",
        ] {
            let faults = faults_of(body);
            assert_eq!(faults.len(), 1, "{body:?}");
            assert!(faults[0].starts_with("Malformed") && faults[0].contains("line"), "{faults:?}");
        }
        assert_eq!(faults_of(b"{\"a\":\n\"\xff\"}"), ["Malformed  invalid UTF-8 at line 2 column 2"]);
    }

    #[test]
    fn a_byte_order_mark_is_named() {
        for body in [&b"\xef\xbb\xbf{}"[..], b"\xff\xfe{\0}\0", b"\xfe\xff\0{\0}", b"\0\0\xfe\xff\0\0\0{\0\0\0}"] {
            assert_eq!(
                faults_of(body),
                ["Malformed  byte order mark at line 1 column 1: the body must be UTF-8 without one"]
            );
        }
        // Anywhere else it is an ordinary character.
        assert_eq!(canonical("{\"\u{feff}a\":1}"), "{\"\u{feff}a\":1}");
        assert!(faults_of("{}\u{feff}".as_bytes())[0].starts_with("Malformed  trailing characters"));
    }

    #[test]
    fn numbers_keep_their_value_beside_strings_that_look_like_numbers() {
        assert_eq!(
            canonical(r#"{"1\"2":0.1000000000000000055,"a":["3\\",-4.50,"5",12345678901234567890123]}"#),
            r#"{"1\"2":0.1000000000000000055,"a":["3\\",-4.5,"5",12345678901234567890123]}"#
        );
    }

    #[test]
    fn the_canonical_form_ignores_order_white_space_escapes_and_number_spelling() {
        assert_eq!(canonical("{\"b\" : 1.50, \"a\":\"\\u0041\"}"), canonical(r#"{"a":"A","b":15e-1}"#));
        assert_eq!(canonical("\"\\u0000\""), "\"\\u0000\"");
        assert_eq!(canonical(r#"{"b":[[],{}],"a":{"y":[1,2],"x":null}}"#), r#"{"a":{"x":null,"y":[1,2]},"b":[[],{}]}"#);
    }
}
