//! Moments in UTC, to the millisecond.

use std::{borrow::Cow, fmt, ops::Range, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{fault::Noted, json::At};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Maximum amount by which a client's clock may be ahead of the server's.
    const MAX_AHEAD: Duration = Duration::from_hours(24);

    /// Maximum difference between the arrival times of two concurrent requests.
    const OVERLAP: Duration = Duration::from_secs(10);

    /// From 0000-01-01T00:00:00Z until 10000-01-01T00:00:00Z, in milliseconds.
    const FOUR_DIGIT_YEARS: Range<i64> = -62_167_219_200_000..253_402_300_800_000;

    /// Creates a timestamp from milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns true if the moment is less than `age` before `now`. It may be slightly later than `now`, since requests
    /// overlap. A moment further in the future is never within any age: the clock was set back.
    #[must_use]
    pub fn is_within(self, age: Duration, now: Timestamp) -> bool {
        (-millis(Self::OVERLAP)..millis(age)).contains(&now.0.saturating_sub(self.0))
    }

    /// Returns the moment that is `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Timestamp(self.0.saturating_add(millis(later)))
    }

    /// Parses RFC 3339, or ISO 8601's extended format with an offset:
    ///
    /// - The offset is `Z`, `+hh:mm`, `+hhmm` or `+hh`.
    /// - Seconds may be omitted. A fraction of seconds follows `.` or `,`; digits beyond the millisecond are dropped.
    /// - The basic format and `T24:00` are not supported.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        const WITH_SECONDS: &str = "%Y-%m-%dT%H:%M:%S%.f%#z";
        const WITHOUT_SECONDS: &str = "%Y-%m-%dT%H:%M%#z";
        // chrono alone also reads blanks, numbers without leading zeros and incomplete offsets.
        let is_graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_graphic || !starts_like(text, "dddd-dd-ddTdd:dd") || !has_offset(&text[16..]) {
            return None;
        }
        let moment = if text.as_bytes().get(16) == Some(&b':') {
            if !starts_like(&text[16..], ":dd") {
                return None;
            }
            let text = match text.as_bytes().get(19) {
                Some(b',') => Cow::Owned([&text[..19], ".", &text[20..]].concat()),
                _ => Cow::Borrowed(text),
            };
            let rfc_3339 = DateTime::parse_from_rfc3339(&text);
            rfc_3339.or_else(|_| DateTime::parse_from_str(&text, WITH_SECONDS))
        } else {
            DateTime::parse_from_str(text, WITHOUT_SECONDS)
        };
        // With its offset, the time may be before year 0000 or after 9999, which RFC 3339 cannot express.
        let moment = Timestamp(moment.ok()?.timestamp_millis());
        Self::FOUR_DIGIT_YEARS.contains(&moment.0).then_some(moment)
    }

    /// Returns true if the moment is more than 24 hours after `now`.
    #[must_use]
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self.0 > now.0.saturating_add(millis(Self::MAX_AHEAD))
    }

    /// Parses the time at which an event happened, by the client's clock.
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns true if the text starts with this shape, in which `d` is any digit.
fn starts_like(text: &str, shape: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        shape => byte.eq_ignore_ascii_case(&shape),
    };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// Returns true if the text ends with an offset in one of the supported forms.
fn has_offset(text: &str) -> bool {
    let is_like = |offset: &str, shape: &str| offset.len() == shape.len() && starts_like(offset, shape);
    match text.rfind(['+', '-']) {
        None => text.ends_with(['Z', 'z']),
        Some(sign) => ["dd", "dddd", "dd:dd"].iter().any(|shape| is_like(&text[sign + 1..], shape)),
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
    use crate::{fault::Faults, json};

    #[test]
    fn every_supported_form_of_one_moment_is_read() {
        for text in [
            "2024-10-01T07:00:00Z",
            "2024-10-01t07:00:00z",
            "2024-10-01T07:00:00.000999Z",
            "2024-10-01T07:00:00,000999Z",
            "2024-10-01T07:00:00.00000000000000000001Z",
            "2024-10-01T09:00:00+02:00",
            "2024-10-01T09:00:00+0200",
            "2024-10-01T09:00:00+02",
            "2024-10-01T09:00:00.0+02:00",
            "2024-10-01T09:00:00,0+02:00",
            "2024-10-01T09:00:00.0+0200",
            "2024-10-01T09:00:00,0+0200",
            "2024-10-01T09:00:00.0+02",
            "2024-10-01T09:00:00,0+02",
            "2024-10-01T07:00Z",
            "2024-10-01T07:00z",
            "2024-10-01T02:30-04:30",
            "2024-10-01T02:30-0430",
            "2024-10-01T09:00+02",
            "2024-10-01T07:00:00-00:00",
        ] {
            let moment = Timestamp::from_text(text).map(|moment| moment.to_string());
            assert_eq!(moment.as_deref(), Some("2024-10-01T07:00:00.000Z"), "{text}");
        }
        let fraction = |text| Timestamp::from_text(text).map(|moment| moment.to_string());
        assert_eq!(fraction("2024-10-01T07:00:00,1239Z").as_deref(), Some("2024-10-01T07:00:00.123Z"));
        assert_eq!(fraction("2024-10-01T07:00:00.5+00").as_deref(), Some("2024-10-01T07:00:00.500Z"));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2024-10-01",
            "2024-10-01T07:00:00",
            "2024-10-01T07:00",
            "2024-10-01T07Z",
            "2024-13-01T07:00:00Z",
            "2024-02-30T07:00:00Z",
            "2024-10-01T25:00:00Z",
            "2024-10-01T24:00:00Z",
            "2024-10-01T24:00Z",
            "2024-10-01T07:60:00Z",
            "20241001T070000Z",
            "2024-10-01T070000Z",
            "20241001T07:00:00Z",
            "2024-W40-2T07:00:00Z",
            "2024-275T07:00:00Z",
            "2024-10-01T07:00:00.Z",
            "2024-10-01T07:00:00,Z",
            "2024-10-01T07:00:00;5Z",
            "2024-10-01T07:00.5Z",
            "2024-10-01T07:00,5Z",
            "2024-10-01T07:00:00,5,5Z",
            "2024-10-01T07:00:00+2",
            "2024-10-01T07:00:00+02:",
            "2024-10-01T07:00:00+02:0",
            "2024-10-01T07:00:00+02::00",
            "2024-10-01T07:00:00+020",
            "2024-10-01T07:00:00+",
            "2024-10-01T07:00:00++02",
            "2024-10-01T07:00:00 +02",
            "2024-10-01T07:00:00.5 +02",
            "2024-10-01T07:00+2:00",
            "2024-10-01T07:00:",
            "2024-10-01T07:00:00.-5Z",
            "2024-10-01T07:00:00+020000",
            "2024-10-01T07:00:00+02:00:00",
            "2024-10-01T07:00:00+02:60",
            "2024-10-01T07:00:00UTC",
            "2024-10-01T07:00:00Z+02:00",
            "2024-10-01T07:00:00ZZ",
            "2024-10-01 07:00:00Z",
            "2024-10-01T07:00:00 Z",
            "2024-10-01T\t7:00:00Z",
            "2024-1-01T07:00:00Z",
            "2024-10-01T7:00:00Z",
            "2024-10-01T07:0:00Z",
            "2024-10-01T07:00:0Z",
            "1727766000",
            "+12024-10-01T07:00:00Z",
            "２024-10-01T07:00:00Z",
            "2024-10-01T07:00:00\u{2212}02:00",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-23:59",
            "Tue, 01 Oct 2024 07:00:00 GMT",
        ] {
            assert_eq!(Timestamp::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_client_may_be_ahead_by_exactly_24_hours() {
        let now = Timestamp::from_text("2024-10-01T07:00:00.000Z").expect("a moment");
        for (text, expected) in [
            ("\"2024-10-02T07:00:00.000Z\"", None),
            ("\"2024-10-02T07:00:00.000999Z\"", None),
            ("\"2024-10-02T09:00+02\"", None),
            ("\"2024-10-02T07:00:00.001Z\"", Some("the body must not be more than 24 hours in the future")),
            ("\"2024-10-02T07:00:00,001+00\"", Some("the body must not be more than 24 hours in the future")),
        ] {
            let faults = Faults::default();
            let parsed = json::parse(text.as_bytes(), &faults, |at| Timestamp::parse(at, now));
            let fault = faults.none_or(parsed).err().and_then(|faults| faults.into_iter().next());
            assert_eq!(fault.map(|fault| fault.message).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_age_ends_before_its_last_millisecond_and_a_clock_set_back_ends_it() {
        let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
        let age = Duration::from_mins(1);
        for (now, within) in [(0, true), (59_999, true), (60_000, false), (-10_000, true), (-10_001, false)] {
            assert_eq!(at(0).is_within(age, at(now)), within, "{now}");
        }
    }
}
