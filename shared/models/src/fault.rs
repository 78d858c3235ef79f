//! What is wrong with a request, collected: one answer lists everything.

use std::{cell::RefCell, fmt};

/// The most faults that are listed; the last one then says how many more there are.
pub const MAX_FAULTS: usize = 100;

/// The longest place or message that is told, in bytes: both may have a client's own words in them.
const MAX_TOLD: usize = 512;

fn clipped(mut text: String) -> String {
    if text.len() > MAX_TOLD {
        text.truncate(text.floor_char_boundary(MAX_TOLD));
        text.push('…');
    }
    text
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The place in the body as a JSON pointer (RFC 6901); empty for the body as a whole and for headers.
    pub pointer: String,
    /// What kind of wrong.
    pub kind: FaultKind,
    /// What is wrong, as the predicate of a sentence whose subject is the place: `must be a string`.
    pub message: String,
}

/// What kind of thing is wrong. Dialects have codes for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The text isn't JSON.
    Malformed,
    /// A key, name or id is there more than once.
    Repeated,
    /// A required member isn't there.
    Missing,
    /// A required member is `null`.
    Null,
    /// A member has a value that it can't have.
    Invalid,
}

/// The faults found so far, in the order found.
#[derive(Debug, Default)]
pub struct Faults(RefCell<Vec<Fault>>, std::cell::Cell<usize>);

impl Faults {
    /// Adds a fault.
    pub fn note(&self, pointer: Pointer<'_>, kind: FaultKind, message: String) {
        let mut faults = self.0.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(Fault { pointer: clipped(pointer.to_string()), kind, message: clipped(message) });
        } else {
            self.1.set(self.1.get() + 1);
        }
    }

    /// What was parsed, if nothing is wrong, neither with it nor with what was parsed before it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn none_or<T>(self, parsed: Result<T, Noted>) -> Result<T, Faults> {
        match parsed {
            Ok(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        let mut faults = self.0.into_inner();
        if self.1.get() > 0 {
            faults.push(Fault {
                pointer: String::new(),
                kind: FaultKind::Invalid,
                message: format!("and {} more faults", self.1.get()),
            });
        }
        faults.into_iter()
    }
}

/// Something was wrong, and [`Faults`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted;

/// A place in a body, as a path from the root. Costs nothing until it is printed.
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
    fn what_is_told_is_bounded_whatever_was_sent() {
        let name = "~ä".repeat(100_000);
        let faults = Faults::default();
        for _ in 0..1000 {
            let place = Pointer::Member(&Pointer::Root, &name);
            faults.note(place, FaultKind::Invalid, format!("is {name}"));
        }
        let told: Vec<_> = faults.into_iter().collect();
        assert_eq!(told.len(), MAX_FAULTS + 1);
        assert!(told.iter().all(|fault| fault.pointer.len() + fault.message.len() < 2 * MAX_TOLD + 10));
        assert_eq!(told[MAX_FAULTS].message, "and 900 more faults");
    }
}
