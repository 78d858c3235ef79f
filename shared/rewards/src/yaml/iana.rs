//! Time zones by their IANA names.

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::zone::Zone;

/// The offsets of a zone are those from 1970 until the end of 2099. Later years have the last one.
const END: &str = "2100-01-01T00:00:00Z";

/// Returns a zone with all of its offsets, or `None` if no zone has this name. Names are matched exactly.
pub(super) fn zone(name: &str) -> Option<Zone> {
    let database = TimeZoneDatabase::bundled();
    let zone = database.get(name).ok()?;
    (zone.iana_name() == Some(name)).then_some(())?;
    Some(Zone::new(offsets(&zone)))
}

fn offsets(zone: &TimeZone) -> Vec<(i64, i64)> {
    let start = Timestamp::UNIX_EPOCH;
    let end = END.parse::<Timestamp>().unwrap_or(start);
    let mut offsets = vec![(start.as_second(), i64::from(zone.to_offset(start).seconds()))];
    for transition in zone.following(start).take_while(|transition| transition.timestamp() < end) {
        let offset = i64::from(transition.offset().seconds());
        // Some transitions change only the name of the time.
        if offsets.last().is_none_or(|(_, last)| *last != offset) {
            offsets.push((transition.timestamp().as_second(), offset));
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_transitions_until_2100() {
        let berlin = zone("Europe/Berlin").expect("a zone");
        let zone_2024 = Zone::new(vec![(0, 3600), (1_711_846_800, 7200), (1_729_990_800, 3600)]);
        for at in [1_711_846_799, 1_711_846_800, 1_729_990_799, 1_729_990_800] {
            let at = punchcard_models::timestamp::Timestamp::from_millis(at * 1000);
            assert_eq!(berlin.local(at), zone_2024.local(at));
        }
        let count = berlin.to_json().matches("],[").count() + 1;
        assert!((200..300).contains(&count), "{count}");
    }

    #[test]
    fn names_are_matched_exactly() {
        for name in ["Europe/Nowhere", "europe/berlin", "CEST", "", "+02:00"] {
            assert_eq!(zone(name), None, "{name}");
        }
        for name in ["America/St_Johns", "Asia/Kathmandu", "Etc/UTC"] {
            assert!(zone(name).is_some(), "{name}");
        }
    }
}
