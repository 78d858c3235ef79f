//! Exact decimals: the value of a JSON number without a double's rounding.

use std::{borrow::Cow, cmp::Ordering, fmt};

use num_bigint::BigUint;

/// A decimal number `±digits × 10^exponent`, normalised: equal numbers are equal values.
///
/// It has any size that JSON text can express, which no fixed-width decimal type has. Its only arithmetic is exact: sums
/// and differences of numbers of ordinary size, and shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal<'a> {
    negative: bool,
    /// Without leading and trailing zeros. Empty for zero.
    digits: Cow<'a, str>,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Reads the text of a JSON number. The caller guarantees that it is one.
    pub(crate) fn from_json(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating_exponent(exponent)),
            None => (text, 0),
        };
        let (digits, places) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (Cow::Owned([whole, fraction].concat()), fraction.len()),
            None => (Cow::Borrowed(mantissa), 0),
        };
        let significant = digits.trim_start_matches('0').trim_end_matches('0').len();
        if significant == 0 {
            return Decimal { negative: false, digits: Cow::Borrowed(""), exponent: 0 };
        }
        let trailing = digits.len() - digits.trim_end_matches('0').len();
        let start = digits.len() - trailing - significant;
        let digits = match digits {
            Cow::Borrowed(text) => Cow::Borrowed(&text[start..start + significant]),
            Cow::Owned(text) => Cow::Owned(text[start..start + significant].to_owned()),
        };
        let shift = i64::try_from(trailing).unwrap_or(i64::MAX) - i64::try_from(places).unwrap_or(i64::MAX);
        Decimal { negative, digits, exponent: exponent.saturating_add(shift) }
    }

    /// Parses text in the syntax of a JSON number, for example the text of a string.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let spelled_as_json = digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
        spelled_as_json.then(|| Decimal::from_json(text))
    }

    /// Returns the number if it is whole, not negative and fits.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.negative {
            return None;
        }
        let scale = 10u64.checked_pow(u32::try_from(self.exponent).ok()?)?;
        self.digits.parse::<u64>().ok()?.checked_mul(scale)
    }

    /// Returns true for a whole number.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// Returns the number of decimals: 2 for 1.25, and 0 for a whole number.
    #[must_use]
    pub fn decimals(&self) -> u64 {
        if self.exponent < 0 { self.exponent.unsigned_abs() } else { 0 }
    }

    /// Returns the distance between neighbouring numbers of so many decimals: 0.01 for 2.
    #[must_use]
    pub fn step(decimals: u64) -> Decimal<'static> {
        let exponent = i64::try_from(decimals).map_or(i64::MIN / 2, i64::wrapping_neg);
        Decimal { negative: false, digits: Cow::Borrowed("1"), exponent }
    }

    /// Returns the exact sum, or `None` if it needs more digits than ordinary numbers have.
    #[must_use]
    pub fn checked_add(&self, other: &Decimal<'_>) -> Option<Decimal<'static>> {
        let exponent = self.exponent.min(other.exponent);
        let sum = self.scaled_to(exponent)?.checked_add(other.scaled_to(exponent)?)?;
        let text = sum.to_string();
        let number = Decimal::from_json(&text).into_owned();
        let shifted = number.exponent.checked_add(exponent)?;
        Some(if number.digits.is_empty() { number } else { Decimal { exponent: shifted, ..number } })
    }

    /// Returns the exact difference, or `None` if it needs more digits than ordinary numbers have.
    #[must_use]
    pub fn checked_sub(&self, other: &Decimal<'_>) -> Option<Decimal<'static>> {
        self.checked_add(&other.negated())
    }

    /// Returns the number with the opposite sign.
    #[must_use]
    pub fn negated(&self) -> Decimal<'_> {
        let digits = Cow::Borrowed(&*self.digits);
        Decimal { negative: !self.negative && !digits.is_empty(), digits, exponent: self.exponent }
    }

    /// Returns the number without its sign.
    #[must_use]
    pub fn abs(&self) -> Decimal<'_> {
        if self.negative { self.negated() } else { Decimal { digits: Cow::Borrowed(&*self.digits), ..*self } }
    }

    /// Returns true for a number below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Returns the magnitude as a multiple of a power of ten, which is at most its exponent.
    fn integer(&self, exponent: i64) -> BigUint {
        let zeros = usize::try_from(self.exponent.saturating_sub(exponent)).unwrap_or(0);
        let digits = format!("{}{}", self.digits, "0".repeat(zeros));
        // The digits of a number that is not 0 are decimal digits.
        digits.parse().unwrap_or_default()
    }

    /// Returns the number as a multiple of a power of ten, which is at most its exponent.
    fn scaled_to(&self, exponent: i64) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let scale = 10i128.checked_pow(u32::try_from(self.exponent.checked_sub(exponent)?).ok()?)?;
        let magnitude = self.digits.parse::<i128>().ok()?.checked_mul(scale)?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// Returns the same number, independent of the text that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Decimal<'static> {
        Decimal { negative: self.negative, digits: Cow::Owned(self.digits.into_owned()), exponent: self.exponent }
    }

    /// Returns the exponent of the first digit, by which numbers of one sign compare first.
    fn magnitude(&self) -> i64 {
        self.exponent.saturating_add(i64::try_from(self.digits.len()).unwrap_or(i64::MAX))
    }
}

/// The share that a part is of a whole. The parts of very long numbers are converted once, however many shares are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share(Ratio);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ratio {
    Nothing,
    All,
    /// A part and a whole, of which it is less.
    Of(BigUint, BigUint),
}

impl Share {
    /// The whole.
    pub const ALL: Share = Share(Ratio::All);

    /// Returns the share that `part` is of `whole`: all, if it is not less. No part is no share, even of nothing. The
    /// numbers are not negative.
    #[must_use]
    pub fn new(part: &Decimal<'_>, whole: &Decimal<'_>) -> Self {
        /// The number of digits of the greatest `u64`.
        const MAX_DIGITS: i64 = 20;
        if part.digits.is_empty() {
            return Share(Ratio::Nothing);
        }
        if part >= whole {
            return Share::ALL;
        }
        // Less than one of any number. This also bounds the powers of ten below.
        if whole.magnitude().saturating_sub(part.magnitude()) > MAX_DIGITS {
            return Share(Ratio::Nothing);
        }
        let exponent = part.exponent.min(whole.exponent);
        Share(Ratio::Of(part.integer(exponent), whole.integer(exponent)))
    }

    /// Returns the share of a number, rounded down: ⌊number × part ÷ whole⌋.
    #[must_use]
    pub fn of(&self, number: u64) -> u64 {
        match &self.0 {
            Ratio::Nothing => 0,
            Ratio::All => number,
            // Less than the number, because the part is less than the whole.
            Ratio::Of(part, whole) => (part * number / whole).try_into().unwrap_or(number),
        }
    }
}

impl From<u64> for Decimal<'static> {
    fn from(number: u64) -> Self {
        Decimal::from_json(&number.to_string()).into_owned()
    }
}

/// Parses an exponent. One that exceeds an `i64` belongs to zero or to a number indistinguishable from zero: numbers
/// beyond a double's range are rejected earlier.
fn saturating_exponent(text: &str) -> i64 {
    text.parse().unwrap_or(if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 })
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_size = || {
            self.magnitude().cmp(&other.magnitude()).then_with(|| {
                // With equal magnitudes, digits compare as fractions do: "15" is greater than "1".
                self.digits.as_bytes().cmp(other.digits.as_bytes())
            })
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => by_size(),
            _ => by_size().reverse(),
        })
    }
}

/// The canonical spelling: plain for numbers of ordinary size, with an exponent for others.
impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PLAIN: i64 = 24;
        const TINY: i64 = -PLAIN;
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let digits = &*self.digits;
        match (self.exponent, self.magnitude()) {
            (0, _) => f.write_str(digits),
            (1.., ..=PLAIN) => write!(f, "{digits:0<width$}", width = usize::try_from(self.magnitude()).unwrap_or(0)),
            (..0, point @ 1..) => {
                let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
                write!(f, "{whole}.{fraction}")
            }
            (..0, TINY..=0) => {
                let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
                f.write_str("0.")?;
                // Not by a format width, whose maximum is 65,535: a number may have more digits.
                (digits.len()..places).try_for_each(|_| f.write_str("0"))?;
                f.write_str(digits)
            }
            _ => write!(f, "{digits}e{}", self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal<'_> {
        Decimal::parse(text).expect("a number")
    }

    #[test]
    fn sums_and_differences_are_exact() {
        for (a, b, sum, difference) in [
            ("100", "80", "180", "20"),
            ("0.1", "0.2", "0.3", "-0.1"),
            ("1e2", "-100", "0", "200"),
            ("0", "0", "0", "0"),
            ("0", "-2.5", "-2.5", "2.5"),
            ("9007199254740993", "1", "9007199254740994", "9007199254740992"),
            ("1.50", "0.25", "1.75", "1.25"),
        ] {
            let number = |text| Decimal::parse(text).expect("a number");
            assert_eq!(number(a).checked_add(&number(b)), Some(number(sum)), "{a} + {b}");
            assert_eq!(number(a).checked_sub(&number(b)), Some(number(difference)), "{a} - {b}");
        }
        let (huge, one) = (Decimal::parse("1e300").expect("a number"), Decimal::from(1));
        assert_eq!(huge.checked_add(&one), None);
        assert_eq!(Decimal::parse("1e-300").expect("a number").checked_sub(&huge), None);
        assert_eq!((Decimal::step(2).to_string(), Decimal::step(0).to_string()), ("0.01".to_owned(), "1".to_owned()));
    }

    #[test]
    fn a_share_is_rounded_down_and_never_more_than_all() {
        for (points, part, whole, share) in [
            (70, "0", "100", 0),
            (70, "50", "100", 35),
            (70, "33.33", "100", 23),
            (70, "99.99", "100", 69),
            (70, "100.00", "1e2", 70),
            (70, "250", "100", 70),
            (0, "50", "100", 0),
            (70, "0", "0", 0),
            (70, "0.01", "0", 70),
            (1, "1e-300", "1e300", 0),
            (u64::MAX, "1", "3", u64::MAX / 3),
            (u64::MAX, "1", "18446744073709551615", 1),
            (u64::MAX, "1", "18446744073709551616", 0),
            (3, "1e300", "3e300", 1),
            // The exponent of either saturates.
            (9, "1e-99999999999999999999", "1", 0),
            (9, "1e-99999999999999999999", "2e-99999999999999999999", 4),
        ] {
            let number = |text| Decimal::parse(text).expect("a number");
            assert_eq!(Share::new(&number(part), &number(whole)).of(points), share, "{points} × {part} ÷ {whole}");
        }
        let long = format!("0.{}", "7".repeat(100_000));
        let number = |text| Decimal::parse(text).expect("a number");
        assert_eq!(Share::new(&number("0.7"), &number(&long)).of(1000), 900);
    }

    #[test]
    fn equal_numbers_have_one_spelling() {
        for (texts, canonical) in [
            (&["0", "-0", "0.0", "0e5", "0e-999999999999999999999"][..], "0"),
            (&["1", "1.0", "10e-1", "0.1e1", "1E+0"], "1"),
            (&["-150", "-1.5e2", "-1500e-1"], "-150"),
            (&["0.05", "5e-2", "0.050"], "0.05"),
            (&["12.345"], "12.345"),
            (&["1e300", "10e299"], "1e300"),
            (&["1e-300"], "1e-300"),
        ] {
            for text in texts {
                assert_eq!(decimal(text).to_string(), canonical, "{text}");
            }
        }
    }

    #[test]
    fn text_that_is_not_a_json_number_is_refused() {
        for text in
            ["", "-", "+1", "01", ".5", "1.", "1e", "1e+", "0x1", " 1", "1 ", "NaN", "Infinity", "１", "1_0", "1,5"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_whole_numbers_in_range_convert_to_u64() {
        assert_eq!(decimal("18446744073709551615").to_u64(), Some(u64::MAX));
        assert_eq!(decimal("18446744073709551616").to_u64(), None);
        assert_eq!(decimal("1.5").to_u64(), None);
        assert_eq!(decimal("-1").to_u64(), None);
        assert_eq!(decimal("2e3").to_u64(), Some(2000));
        assert_eq!(decimal("1e999").to_u64(), None);
    }

    #[test]
    fn a_number_may_have_as_many_digits_as_a_body_holds() {
        let digits = "7".repeat(200_000);
        for text in [format!("0.{digits}"), format!("0.00{digits}"), digits.clone(), format!("-{digits}.{digits}")] {
            assert_eq!(decimal(&text).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_share_is_that_of_integers(points in 0u64..1 << 40, part in 0u64..1 << 40, whole in 1u64..1 << 40, e in -30i32..30) {
            let number = |n: u64| format!("{n}e{e}");
            let (part_text, whole_text) = (number(part), number(whole));
            let expected = u64::try_from(u128::from(points) * u128::from(part) / u128::from(whole)).unwrap_or(u64::MAX);
            let share = Share::new(&decimal(&part_text), &decimal(&whole_text)).of(points);
            prop_assert_eq!(share, expected.min(points));
        }

        #[test]
        fn integers_compare_by_value(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (a.to_string(), b.to_string());
            prop_assert_eq!(decimal(&x).cmp(&decimal(&y)), a.cmp(&b));
        }

        #[test]
        fn fractions_compare_by_value(a in -100_000i64..100_000, b in -100_000i64..100_000, p in 0i32..6, q in 0i32..6) {
            let (x, y) = (format!("{a}e-{p}"), format!("{b}e-{q}"));
            let exact = |n: i64, places: i32| i128::from(n) * 10i128.pow(6 - places.unsigned_abs());
            prop_assert_eq!(decimal(&x).cmp(&decimal(&y)), exact(a, p).cmp(&exact(b, q)));
        }

        #[test]
        fn the_canonical_spelling_reads_as_the_same_number(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?(e[+-]?[0-9]{1,3})?") {
            let number = decimal(&text);
            let spelled = number.to_string();
            prop_assert_eq!(decimal(&spelled), number);
        }
    }
}
