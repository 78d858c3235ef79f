//! Numbers on pages and in reports.

use std::fmt::Display;

/// Formats a whole number with a separator of thousands.
pub fn grouped(number: impl Display) -> String {
    let written = number.to_string();
    let (sign, digits) = written.split_at(usize::from(written.starts_with(['+', '-'])));
    let mut text = sign.replace('-', "−");
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a change of a balance: always with a sign, unless it is 0.
pub fn signed(number: i64) -> String {
    if number > 0 { format!("+{}", grouped(number)) } else { grouped(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let grouped = [0, 7, 999, 1000, 12_345, 1_234_567, -1000].map(grouped);
        assert_eq!(grouped, ["0", "7", "999", "1,000", "12,345", "1,234,567", "−1,000"]);
        assert_eq!([12_345, -12_345, 0].map(signed), ["+12,345", "−12,345", "0"]);
        assert_eq!(super::grouped("+2700000"), "+2,700,000");
    }
}
