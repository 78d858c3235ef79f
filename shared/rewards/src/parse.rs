//! What the members of a catalog have in common.

use std::collections::BTreeSet;

use punchcard_models::{
    channel,
    fault::{FaultKind, Faults, Noted},
    ids::parse_id,
    json::{self, At, Members, Value},
};

/// The most items of any list in a catalog.
pub const MAX_ITEMS: usize = 10_000;
/// The longest name of a business unit or points type.
const MAX_NAME: usize = 64;

/// Reads and parses JSON text.
pub(crate) fn read<T>(text: &str, parse: impl FnOnce(At<'_, '_>) -> Result<T, Noted>) -> Result<T, Faults> {
    let faults = Faults::default();
    let parsed = json::parse(text.as_bytes(), &faults, parse);
    faults.none_or(parsed)
}

/// Refuses members that nobody knows: a typo must not change what is paid.
pub(crate) fn only(object: &Members<'_, '_>, names: &[&str]) -> Result<(), Noted> {
    let known = object.each(|name, member| {
        if names.contains(&name) {
            return Ok(());
        }
        Err(member.invalid(format!("is unknown here, where there can be {}", names.join(", "))))
    });
    known.map(|_| ())
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(at: At<'_, '_>, words: &[(&str, T)]) -> Result<T, Noted> {
    let text = at.string()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        at.invalid(format!("must be {}", words.join(" or ")))
    })
}

/// A list of at least `least` items, none of them twice.
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

/// A name that others refer to: one of `known`.
pub(crate) fn known_name(at: At<'_, '_>, what: &str, known: &BTreeSet<String>) -> Result<String, Noted> {
    let name = at.string()?;
    if !known.contains(name) {
        return Err(at.invalid(format!("must be {what} of this catalog")));
    }
    Ok(name.to_owned())
}

/// Whether a text can name a business unit or points type. Both become part of attribute names in the store.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

/// Why a text is no name; the predicate of a sentence.
pub(crate) const NAME_RULE: &str = "must be named with 1 to 64 of A-Z a-z 0-9 _ . -";

/// The name of a points type.
pub(crate) fn name(at: At<'_, '_>) -> Result<String, Noted> {
    let text = at.string()?;
    if is_name(text) { Ok(text.to_owned()) } else { Err(at.invalid(NAME_RULE)) }
}

/// The name of an action, event or section: an id without blanks around it, which would never be met.
pub(crate) fn trimmed_id(at: At<'_, '_>) -> Result<String, Noted> {
    let id = parse_id(at)?;
    if id.trim() == id { Ok(id) } else { Err(at.invalid("must not have blanks around it")) }
}

/// The name of a channel.
pub(crate) fn channel(at: At<'_, '_>) -> Result<String, Noted> {
    let text = at.string()?;
    if !channel::is_valid(text) {
        return Err(at.invalid(format!("must have 1 to {} characters, not only blanks", channel::MAX_CHARS)));
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
