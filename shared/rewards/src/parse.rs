//! Parsers that several parts of a catalog share.

use std::collections::{BTreeSet, HashSet};

use punchcard_models::{
    channel,
    fault::{FaultKind, Faults, Noted},
    ids::parse_id,
    json::{self, At, Members, Value},
};

use crate::rule_id::RuleId;

/// Maximum number of items in any list of a catalog.
pub const MAX_ITEMS: usize = 10_000;
/// Maximum length of the name of a business unit or points type, in bytes.
const MAX_NAME: usize = 64;

/// The names defined so far by a catalog that is being parsed.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub units: BTreeSet<String>,
    pub actions: BTreeSet<String>,
    pub rules: HashSet<RuleId>,
}

/// Reads and parses JSON text.
pub(crate) fn read<T>(text: &str, parse: impl FnOnce(At<'_, '_>) -> Result<T, Noted>) -> Result<T, Faults> {
    let faults = Faults::default();
    let parsed = json::parse(text.as_bytes(), &faults, parse);
    faults.none_or(parsed)
}

/// Rejects unknown members: a typo must not change what is paid.
pub(crate) fn only(object: &Members<'_, '_>, names: &[&str]) -> Result<(), Noted> {
    only_or(object, names, &[])
}

/// Rejects unknown members like [`only`], and accepts others of which its message says nothing.
pub(crate) fn only_or(object: &Members<'_, '_>, names: &[&str], others: &[&str]) -> Result<(), Noted> {
    let known = object.each(|name, member| {
        if names.contains(&name) || others.contains(&name) {
            return Ok(());
        }
        Err(member.invalid(format!("is not a known member; allowed are {}", names.join(", "))))
    });
    known.map(|_| ())
}

/// Parses a keyword.
pub(crate) fn one_of<T: Copy>(at: At<'_, '_>, words: &[(&str, T)]) -> Result<T, Noted> {
    let text = at.string()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let expected = match &words[..] {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => words.concat(),
        };
        at.invalid(format!("must be {expected}"))
    })
}

/// A list of at least `least` distinct items.
pub(crate) fn set<T: Ord>(
    at: At<'_, '_>,
    least: usize,
    mut parse: impl FnMut(At<'_, '_>) -> Result<T, Noted>,
) -> Result<BTreeSet<T>, Noted> {
    let mut set = BTreeSet::new();
    at.items(least..=MAX_ITEMS, |item| {
        let new = set.insert(parse(item)?);
        if new { Ok(()) } else { Err(item.fault(FaultKind::Repeated, "appears more than once")) }
    })?;
    Ok(set)
}

/// A reference to a name in `known`; `kind` is the plural noun for these names.
pub(crate) fn known_name(at: At<'_, '_>, kind: &str, known: &BTreeSet<String>) -> Result<String, Noted> {
    let name = at.string()?;
    if !known.contains(name) {
        return Err(at.invalid(format!("must be one of the catalog's {kind}")));
    }
    Ok(name.to_owned())
}

/// Returns true for a valid name of a business unit or points type. Both become part of attribute names in the store.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

/// The rule that [`is_name`] checks, as the predicate of a sentence.
pub(crate) const NAME_RULE: &str = "must have a name of 1 to 64 characters from A-Z a-z 0-9 _ . -";

/// The name of a points type.
pub(crate) fn name(at: At<'_, '_>) -> Result<String, Noted> {
    let text = at.string()?;
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(at.invalid("must be 1 to 64 characters from A-Z a-z 0-9 _ . -"))
    }
}

/// The name of an action, event or section: an id without surrounding white space.
pub(crate) fn trimmed_id(at: At<'_, '_>) -> Result<String, Noted> {
    let id = parse_id(at)?;
    if id.trim() == id { Ok(id) } else { Err(at.invalid("must not begin or end with white space")) }
}

/// The name of a channel.
pub(crate) fn channel(at: At<'_, '_>) -> Result<String, Noted> {
    let text = at.string()?;
    if !channel::is_valid(text) {
        return Err(at.invalid(format!("must have 1 to {} characters and not be blank", channel::MAX_CHARS)));
    }
    Ok(text.to_owned())
}

/// A whole number from 1 to `most`.
pub(crate) fn positive(at: At<'_, '_>, most: u64) -> Result<u64, Noted> {
    let number = match at.value {
        Value::Number(number) => number.to_u64(),
        _ => None,
    };
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| at.invalid(format!("must be a whole number from 1 to {most}")))
}
