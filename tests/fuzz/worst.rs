//! The worst that 256 KiB can be: as deep, as wide, as wrong as possible. What reading it takes is bounded, and grows as
//! it does: the memory, and the work, which no clock measures that others' work moves too.

use std::{alloc::System, collections::HashSet, fs, time::Duration};

// cargo-bolero instruments this binary too, and its engine has what that calls.
use bolero as _;
use cap::Cap;
use punchcard_http::MAX_BODY_BYTES;
use punchcard_models::{
    activity::{self, Activity},
    api_version::ApiVersion,
    client_event,
    correction::{Adjustment, Reversal},
    fault::{Faults, MAX_FAULTS},
    json::{self, At},
    order::Order,
    player_events::PlayerEvents,
    session::SessionRequest,
    settings::ChannelMerging,
    timestamp::Timestamp,
};
use punchcard_rewards::{Catalog, yaml};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Bodies of at most `size` bytes, each the worst of its kind.
fn worst_bodies(size: usize) -> Vec<(&'static str, String)> {
    let filled = |before: &str, repeated: &dyn Fn(usize) -> String, after: &str| {
        let mut body = before.to_owned();
        for number in 0.. {
            let next = repeated(number);
            if body.len() + next.len() + after.len() > size {
                break;
            }
            body.push_str(&next);
        }
        body.truncate(body.trim_end_matches(',').len());
        body + after
    };
    let same = |before: &str, repeated: &'static str, after: &str| filled(before, &|_| repeated.to_owned(), after);
    let key = "k".repeat(size / 40);
    let deep_keys = format!("{}{{", format!("{{\"{key}\":").repeat(14));
    vec![
        ("opened and never closed", same("", "[", "")),
        ("objects opened and never closed", same("", "{\"\":", "")),
        ("as deep as it may be, again and again", same("[", "[[[[[[[[[[[[[[[]]]]]]]]]]]]]]],", "]")),
        ("small numbers", same("[", "0,", "]")),
        ("empty lists", same("[", "[],", "]")),
        ("empty texts", same("[", "\"\",", "]")),
        ("one number", same("", "7", "")),
        ("one fraction", same("0.", "7", "")),
        ("one exponent", same("1e-", "7", "")),
        ("one text", same("\"", "x", "\"")),
        ("one text of escapes", same("\"", "\\u0000", "\"")),
        ("one text of surrogate pairs", same("\"", "\\ud83c\\udfb2", "\"")),
        ("one text that does not end", same("\"", "\\\\", "")),
        ("blanks", same("", " ", "")),
        ("different keys", filled("{", &|number| format!("\"{number}\":0,"), "}")),
        ("one key again and again", same("{", "\"\":0,", "}")),
        ("repeated keys below long ones", same(&deep_keys, "\"\":0,", &"}".repeat(15))),
        (
            "faulty client events",
            filled(
                "{\"clientEvents\":[",
                &|number| {
                    if number < 100 {
                        "{\"clientEventId\":\"x\",\"clientEventMetadata\":{\"section\":{},\"imageSlots\":[1,2,3]}},"
                            .to_owned()
                    } else {
                        String::from(" ")
                    }
                },
                "]}",
            ),
        ),
        ("too many client events", same("{\"clientEvents\":[", "7,", "]}")),
        (
            "faulty events of a player",
            filled("{\"playerUniqueId\":\"p\",\"events\":{", &|number| format!("\"{number}\":7,"), "}}"),
        ),
        (
            "good events of a player",
            filled("{\"playerUniqueId\":\"p\",\"events\":{", &|number| format!("\"{number}\":{{}},"), "}}"),
        ),
        (
            "events of a player that trim alike",
            filled(
                "{\"playerUniqueId\":\"p\",\"events\":{",
                &|number| format!("\"a{}\":{{}},", " ".repeat(number)),
                "}}",
            ),
        ),
        ("faulty metadata", same("{\"playerUniqueId\":\"p\",\"events\":{\"e\":{\"k\":[", "[],", "]}}}")),
        (
            "good metadata",
            filled("{\"playerUniqueId\":\"p\",\"events\":{\"e\":{", &|number| format!("\"{number}\":[1,\"\"],"), "}}}"),
        ),
        ("faulty further data", same("{\"extendedData\":[", "{},", "]}")),
        ("long further data", same("{\"extendedData\":[{\"name\":\"", "é", "\",\"value\":1}]}")),
        ("sections of a catalog", filled("{\"sections\":[", &|number| format!("\"{number}\","), "]}")),
        ("units of a catalog", filled("{\"businessUnits\":{", &|number| format!("\"{number}\":\"enabled\","), "}}")),
        ("faulty offers", same("{\"offers\":[", "{\"x\":1},", "]}")),
        (
            "conditions of a campaign",
            same(
                "{\"campaigns\":[{\"id\":\"ONE\",\"event\":\"e\",\"points\":1,\"conditions\":[",
                "{\"field\":\"f\",\"eq\":1},",
                "]}]}",
            ),
        ),
    ]
}

/// Inputs that only an operator may write.
fn worst_yaml(size: usize) -> Vec<(&'static str, String)> {
    let lines = |line: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            let next = line(number);
            if text.len() + next.len() > size {
                return text;
            }
            text.push_str(&next);
        }
        text
    };
    vec![
        ("different keys in lines", lines(&|number| format!("{number}: 0\n"))),
        ("one key in lines", lines(&|_| "a: 0\n".to_owned())),
        ("deeper and deeper", lines(&|number| format!("{}a:\n", " ".repeat(number)))),
        ("lists in lists in a line", lines(&|_| "- ".to_owned())),
        ("aliases", "a: &a 1\n".to_owned() + &lines(&|_| "- *a\n".to_owned())),
        ("aliases in a list", "[&a 1".to_owned() + &lines(&|_| ",*a".to_owned())[..size - 8] + "]"),
        ("tags", "[".to_owned() + &lines(&|_| "!!str a,".to_owned()) + "]"),
        ("comments", lines(&|_| "#\n".to_owned())),
        ("one comment", "#".repeat(size)),
        ("documents", lines(&|_| "---\n".to_owned())),
        ("one plain text in many lines", lines(&|_| "a\n".to_owned())),
        ("one block of text", "a: |\n".to_owned() + &lines(&|_| " a\n".to_owned())),
        ("question marks", lines(&|_| "? ".to_owned())),
        ("numbers that are none", "[".to_owned() + &lines(&|_| "0x1,".to_owned()) + "]"),
        ("quotes", lines(&|_| "''".to_owned())),
    ]
}

/// The number of readers that [`read_body`] calls.
const BODY_READERS: usize = 9;
/// The bytes that one reader may allocate in all for each byte that it reads.
const MAX_ALLOCATED_PER_BYTE: usize = 512;

/// Reads it as everything that there is.
fn read_body(body: &str) {
    let now = Timestamp::from_text("2026-01-01T00:00:00Z").expect("a moment");
    let (sections, rules) = (HashSet::new(), Catalog::default());
    let client_events = client_event::Context { now, sections: &sections };
    let activities = activity::Context {
        now,
        actions: rules.actions(),
        business_units: rules.business_units(),
        default_channel: None,
        loyalty_id: None,
    };
    let body = body.as_bytes();
    let bounded = |read: &dyn Fn(&Faults)| {
        let faults = Faults::default();
        read(&faults);
        assert!(faults.into_iter().count() <= MAX_FAULTS + 1);
    };
    bounded(&|faults| drop(json::read(body, faults).map(|value| value.to_string())));
    bounded(&|faults| drop(json::parse(body, faults, |body| client_event::parse_batch(body, client_events))));
    bounded(&|faults| drop(json::parse(body, faults, |body| Activity::parse(body, activities))));
    bounded(&|faults| drop(json::parse(body, faults, Reversal::parse)));
    let adjustment = |body: At<'_, '_>| Adjustment::parse(body, rules.business_units(), None);
    bounded(&|faults| drop(json::parse(body, faults, adjustment)));
    bounded(&|faults| drop(json::parse(body, faults, |body| SessionRequest::parse(body, None))));
    let events = |body: At<'_, '_>| PlayerEvents::parse(body, ApiVersion::V3, ChannelMerging::Email);
    bounded(&|faults| drop(json::parse(body, faults, events)));
    let order = |body: At<'_, '_>| Order::parse(body, ApiVersion::V3, ChannelMerging::Email, now);
    bounded(&|faults| drop(json::parse(body, faults, order)));
    bounded(&|faults| drop(json::parse(body, faults, Catalog::parse)));
}

/// The cost of reading a text: allocated bytes in all, and processor time.
fn taken(text: &str, read: impl Fn(&str)) -> (usize, Duration) {
    let (allocated, worked) = (MEMORY.total_allocated(), processor_time());
    read(text);
    (MEMORY.total_allocated() - allocated, processor_time().saturating_sub(worked))
}

/// Of this thread, where the system tells it.
fn processor_time() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn assert_bounded(worst: impl Fn(usize) -> Vec<(&'static str, String)>, readers: usize, read: impl Fn(&str)) {
    for ((name, quarter), (_, whole)) in worst(MAX_BODY_BYTES / 4).into_iter().zip(worst(MAX_BODY_BYTES)) {
        let ((few, short), (many, long)) = (taken(&quarter, &read), taken(&whole, &read));
        println!("{name:40} {few:10} B, {many:10} B in {short:?}, {long:?}");
        // Four times as much, and as much again for what doubles when it grows.
        assert!(many <= 8 * few + MAX_BODY_BYTES, "{name}: {few} bytes became {many}");
        assert!(many <= readers * MAX_ALLOCATED_PER_BYTE * MAX_BODY_BYTES, "{name}: {many} bytes");
        // Four times as long; what grows with the square takes sixteen times.
        assert!(long <= 8 * short + Duration::from_millis(250), "{name}: {short:?} became {long:?}");
    }
}

// One test: another one would allocate meanwhile.
#[test]
fn what_the_worst_takes_is_bounded_and_grows_as_it_does() {
    assert_bounded(worst_bodies, BODY_READERS, read_body);
    assert_bounded(worst_yaml, 1, |text| drop(yaml::read(text)));
    let most = MEMORY.max_allocated();
    println!("at most {most} B at once");
    assert!(most <= 96 * 1024 * 1024, "{most} bytes at once");
}
