//! Moments, to the millisecond, in UTC.

use std::{fmt, ops::Range, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{fault::Noted, json::At};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// How far ahead of us a client's clock may be: 24 hours, in milliseconds.
    const MAX_AHEAD: i64 = 24 * 60 * 60 * 1000;

    /// How far apart requests under way at once may have begun, in milliseconds.
    const OVERLAP: i64 = 10_000;
    /// From 0000-01-01T00:00:00Z until 10000-01-01T00:00:00Z
    const FOUR_DIGIT_YEARS: Range<i64> = -62_167_219_200_000..253_402_300_800_000;

    /// The moment `millis` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whether it is less than `limit` before `now`. It may be a little after, since requests overlap; a moment long
    /// after is not within anything: the clock was set back.
    #[must_use]
    pub fn is_within(self, limit: Duration, now: Timestamp) -> bool {
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        (-Self::OVERLAP..limit).contains(&now.0.saturating_sub(self.0))
    }

    /// The moment that is `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Timestamp(self.0.saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads RFC 3339 or ISO 8601 with an offset or `Z`. What is finer than a millisecond is cut off.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        // ISO 8601 beyond RFC 3339: no seconds, an offset without colon or minutes.
        const ISO_8601: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
        // chrono's own formats would also read blanks and unpadded numbers.
        const SHAPE: &[u8; 16] = b"dddd-dd-ddTdd:dd";
        let fits = |(byte, shape): (&u8, &u8)| match shape {
            b'd' => byte.is_ascii_digit(),
            shape => byte.eq_ignore_ascii_case(shape),
        };
        let bytes = text.as_bytes();
        let seconds = match bytes.get(16) {
            Some(b':') => bytes.len() > 18 && bytes[17..19].iter().all(u8::is_ascii_digit),
            _ => true,
        };
        let shaped = bytes.len() > SHAPE.len() && bytes.iter().zip(SHAPE).all(fits) && seconds;
        if !shaped || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        DateTime::parse_from_rfc3339(text)
            .ok()
            .or_else(|| ISO_8601.iter().find_map(|format| DateTime::parse_from_str(text, format).ok()))
            .map(|moment| Timestamp(moment.timestamp_millis()))
            // An offset may lead to the year before 0000 or after 9999, which have no such text.
            .filter(|moment| Self::FOUR_DIGIT_YEARS.contains(&moment.0))
    }

    /// Whether it is more than 24 hours after `now`: nothing that happened is.
    #[must_use]
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self.0 > now.0.saturating_add(Self::MAX_AHEAD)
    }

    /// Parses the time at which a client says that something happened.
    ///
    /// # Errors
    /// Not a timestamp with an offset, or more than 24 hours after `now`.
    pub fn parse(at: At<'_, '_>, now: Timestamp) -> Result<Self, Noted> {
        let moment = Timestamp::from_text(at.string()?)
            .ok_or_else(|| at.invalid("must be an RFC 3339 timestamp with an offset or Z"))?;
        if moment.is_ahead_of(now) {
            return Err(at.invalid("must not be more than 24 hours in the future"));
        }
        Ok(moment)
    }
}

/// `2024-10-01T07:00:00.000Z`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_however_it_is_written() {
        for text in [
            "2024-10-01T07:00:00Z",
            "2024-10-01t07:00:00z",
            "2024-10-01T07:00:00.000999Z",
            "2024-10-01T09:00:00+02:00",
            "2024-10-01T09:00:00+0200",
            "2024-10-01T09:00:00.0+02",
            "2024-10-01T07:00Z",
            "2024-10-01T02:30-04:30",
        ] {
            let moment = Timestamp::from_text(text).map(|moment| moment.to_string());
            assert_eq!(moment.as_deref(), Some("2024-10-01T07:00:00.000Z"), "{text}");
        }
    }

    #[test]
    fn no_offset_no_moment() {
        for text in [
            "",
            "2024-10-01",
            "2024-10-01T07:00:00",
            "2024-13-01T07:00:00Z",
            "2024-02-30T07:00:00Z",
            "2024-10-01T25:00:00Z",
            "2024-10-01T07:00:00 Z",
            "2024-10-01T\t7:00:00Z",
            "2024-1-01T07:00:00Z",
            "2024-10-01T7:00:00Z",
            "2024-10-01T07:0:00Z",
            "2024-10-01T07:00:0Z",
            "1727766000",
            "+12024-10-01T07:00:00Z",
            "２024-10-01T07:00:00Z",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-23:59",
            "Tue, 01 Oct 2024 07:00:00 GMT",
        ] {
            assert_eq!(Timestamp::from_text(text), None, "{text}");
        }
    }
}
