//! Texts that several pages show.

/// Returns an address with parameters, which are escaped.
pub fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}

/// A moment, to be shown in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// In RFC 3339.
    pub exact: String,
    /// For people.
    pub shown: String,
}

impl Moment {
    /// Reads a stored time in RFC 3339. Text that is none is shown as it is.
    pub fn new(exact: &str) -> Self {
        let shown = match (exact.get(..10), exact.get(11..19)) {
            (Some(day), Some(time)) => format!("{day} {time}"),
            _ => exact.to_owned(),
        };
        Moment { exact: exact.to_owned(), shown }
    }
}

/// Names a balance for people: `XYZ loyalty` for `pts#XYZ#loyalty`. `None` if the name is not a balance's.
pub fn balance_name(name: &str) -> Option<String> {
    if name == "points" {
        return Some("points".to_owned());
    }
    let (unit, points_type) = name.strip_prefix("pts#")?.split_once('#')?;
    Some(format!("{unit} {points_type}"))
}

/// A share of a whole, as a bar shows it.
pub fn percent(part: u64, whole: u64) -> u64 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(percent).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        assert_eq!(address("/a", &[("id", "<x> &=é")]), "/a?id=%3Cx%3E+%26%3D%C3%A9");
    }

    #[test]
    fn a_balance_has_a_name_for_people() {
        assert_eq!(balance_name("pts#XYZ#loyalty").as_deref(), Some("XYZ loyalty"));
        assert_eq!(balance_name("use#XYZ"), None);
        assert_eq!([percent(1, 3), percent(5, 3), percent(0, 0)], [33, 100, 0]);
    }
}
