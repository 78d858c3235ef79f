//! The period during which a rule is active.

use punchcard_models::{fault::Noted, json::At, timestamp::Timestamp};

use crate::parse::only;

/// A half-open interval: `from` is inclusive, `until` exclusive. Starts before it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Window {
    /// Returns true if the window includes every time.
    #[cfg(feature = "yaml")]
    pub fn is_unbounded(self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Returns the time in the window that is nearest to a time.
    pub fn nearest(self, at: Timestamp) -> Timestamp {
        match (self.from, self.until) {
            (Some(from), _) if at < from => from,
            (_, Some(until)) if until <= at => Timestamp::from_millis(until.as_millis() - 1),
            _ => at,
        }
    }

    /// Returns the times that both windows include. They must have one in common.
    pub fn overlap(self, other: Window) -> Window {
        let until = self.until.into_iter().chain(other.until).min();
        Window { from: self.from.max(other.from), until }
    }

    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let moment = |at: At<'_, '_>| {
            Timestamp::from_text(at.string()?)
                .ok_or_else(|| at.invalid("must be an RFC 3339 timestamp with an offset or Z"))
        };
        let window = at.object()?;
        let only = only(&window, &["from", "until"]);
        let (from, until) = (window.optional("from", moment), window.optional("until", moment));
        only?;
        let window = Window { from: from?, until: until? };
        match window.from.zip(window.until) {
            Some((from, until)) if from >= until => Err(at.invalid("must start before it ends")),
            _ => Ok(window),
        }
    }
}
