//! The faults of a request. They are collected, because one response lists everything that is wrong.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt,
};

/// Maximum number of listed faults. One more entry states how many were omitted.
pub const MAX_FAULTS: usize = 100;

/// Maximum length of a pointer or message in bytes. Both may quote client data.
const MAX_TEXT: usize = 512;

fn clipped(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

/// One fault and its place.
///
/// It may quote client data, so it must not be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The place in the body as a JSON pointer (RFC 6901). Empty for the body as a whole and for headers.
    pub pointer: String,
    /// The kind of fault, for which dialects have codes.
    pub kind: FaultKind,
    /// The predicate of a sentence whose subject is the place (`must be a string`), or a whole sentence if the pointer
    /// is empty.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{} {}", pointer.trim_start_matches('/'), self.message),
        }
    }
}

impl Error for Fault {}

/// The kind of a fault. Dialects have a code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The body is not JSON.
    Malformed,
    /// A key, name or id appears more than once.
    Repeated,
    /// A required member is absent.
    Missing,
    /// A required member is `null`.
    Null,
    /// A value is not valid.
    Invalid,
}

/// The faults found so far, in the order found.
#[derive(Debug, Default)]
pub struct Faults {
    listed: RefCell<Vec<Fault>>,
    unlisted: Cell<usize>,
}

impl Faults {
    /// Adds a fault.
    pub fn note(&self, pointer: Pointer<'_>, kind: FaultKind, message: String) {
        let mut listed = self.listed.borrow_mut();
        if listed.len() < MAX_FAULTS {
            listed.push(Fault { pointer: clipped(pointer.to_string()), kind, message: clipped(message) });
        } else {
            self.unlisted.set(self.unlisted.get() + 1);
        }
    }

    /// Returns the parsed value if no fault was found, neither in it nor in anything parsed with the same list.
    ///
    /// # Errors
    /// All faults found.
    pub fn none_or<T>(self, parsed: Result<T, Noted>) -> Result<T, Faults> {
        match parsed {
            Ok(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// Returns true if no fault was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.borrow().is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.listed.borrow().iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "; " })?;
        }
        match self.unlisted.get() {
            0 => Ok(()),
            count => write!(f, "; {}", more(count)),
        }
    }
}

impl Error for Faults {}

fn more(count: usize) -> String {
    format!("and {count} more faults")
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        let mut faults = self.listed.into_inner();
        if self.unlisted.get() > 0 {
            let message = more(self.unlisted.get());
            faults.push(Fault { pointer: String::new(), kind: FaultKind::Invalid, message });
        }
        faults.into_iter()
    }
}

/// The error of a parser whose faults are in [`Faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted;

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request is not valid")
    }
}

impl Error for Noted {}

/// A place in a body, as a path from the root. It is only rendered when a fault is noted.
#[derive(Debug, Clone, Copy)]
pub enum Pointer<'p> {
    /// The whole body.
    Root,
    /// A member of an object.
    Member(&'p Pointer<'p>, &'p str),
    /// An item of an array.
    Item(&'p Pointer<'p>, usize),
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pointer::Root => Ok(()),
            Pointer::Member(parent, name) => {
                write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Pointer::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_for_any_request() {
        let name = "~ä".repeat(100_000);
        let faults = Faults::default();
        for _ in 0..1000 {
            let place = Pointer::Member(&Pointer::Root, &name);
            faults.note(place, FaultKind::Invalid, format!("is {name}"));
        }
        assert!(faults.to_string().ends_with("; and 900 more faults"));
        let listed: Vec<_> = faults.into_iter().collect();
        assert_eq!(listed.len(), MAX_FAULTS + 1);
        assert!(listed.iter().all(|fault| fault.pointer.len() + fault.message.len() < 2 * MAX_TEXT + 10));
        assert_eq!(listed[MAX_FAULTS].message, "and 900 more faults");
    }

    #[test]
    fn faults_are_displayed_as_sentences() {
        let faults = Faults::default();
        faults.note(Pointer::Member(&Pointer::Root, "events"), FaultKind::Missing, "is required".to_owned());
        faults.note(Pointer::Root, FaultKind::Invalid, "Channel not found".to_owned());
        assert_eq!(faults.to_string(), "events is required; Channel not found");
    }
}
