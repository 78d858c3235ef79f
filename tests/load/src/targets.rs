//! The targets, and whether they are met.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Which,
    case::name,
    figures::{Figures, table},
};

/// One thing to be reached.
#[derive(Debug, Serialize)]
pub struct Target {
    pub case: &'static str,
    pub what: &'static str,
    pub measured: f64,
    pub wanted: f64,
    /// Set if `wanted` has to be hit exactly.
    pub exact: bool,
    pub met: bool,
}

/// The targets whose figures were measured, each by setting and case.
pub fn targets(settings: &BTreeMap<Which, Vec<Figures>>) -> Vec<Target> {
    let of = |setting: Which, case: &str| settings.get(&setting)?.iter().find(|figures| figures.case == case);
    let http = |case| of(Which::Http, case);
    let mut targets = Vec::new();
    let mut target = |case, what, exact, wanted: f64, measured: Option<f64>| {
        let Some(measured) = measured else { return };
        let met = if exact { (measured - wanted).abs() < 1e-9 } else { measured <= wanted };
        targets.push(Target { case, what, measured, wanted, exact, met });
    };

    let init = |a: &Figures, b: &Figures| a.init.cpu / b.init.cpu;
    let warm = |a: &Figures, b: &Figures| a.warm_cpu / b.warm_cpu;
    let compare = |ratio: fn(&Figures, &Figures) -> f64, a: Option<&Figures>, b: Option<&Figures>| Some(ratio(a?, b?));

    for case in [name::ONE_SAME, name::EARNS, name::PLAYER] {
        let function = http(case);
        target(case, "init: CPU / hello's", false, 1.5, compare(init, function, http(name::HELLO)));
        target(case, "init: CPU / plain's", false, 1.0 / 3.0, compare(init, function, http(name::PLAIN)));
        let instructions = function.and_then(|function| function.instructions);
        target(case, "init: M instructions", false, 1.5, instructions.map(|count| count.init as f64 / 1e6));
    }

    let (first, plain) = (of(Which::Tls, name::ONE_SAME), of(Which::Tls, name::PLAIN));
    let opened = first.map(|first| first.opened_in_first as f64);
    target(name::ONE_SAME, "first request over TLS: handshakes", true, 0.0, opened);
    let ratio = compare(|a, b| a.first.cpu / b.first.cpu, first, plain);
    target(name::ONE_SAME, "first request over TLS: CPU / plain's", false, 1.0 / 60.0, ratio);

    for case in [name::ONE_SAME, name::ONE_NEW] {
        target(case, "CPU / bare put", false, 1.2, compare(warm, http(case), http(name::BARE_PUT)));
        target(case, "CPU / plain", false, 0.4, compare(warm, http(case), http(name::PLAIN)));
    }

    let one = http(name::ONE_SAME);
    let batch = http(name::BATCH_25);
    target(name::BATCH_25, "calls", true, 1.0, batch.map(|batch| batch.calls as f64));
    target(name::BATCH_25, "CPU / one event's request", false, 2.0, compare(warm, batch, one));
    target(name::BATCH_25, "CPU / plain, 25 puts", false, 1.0 / 12.0, compare(warm, batch, http(name::PLAIN_25)));
    let batch = http(name::BATCH_100);
    target(name::BATCH_100, "calls, sent at once", true, 4.0, batch.map(|batch| batch.calls as f64));
    let ratio = compare(|a, b| a.warm_cpu / a.events as f64 / b.warm_cpu, batch, one);
    target(name::BATCH_100, "CPU an event / one event's request", false, 1.0 / 12.0, ratio);
    let duplicates = http(name::DUPLICATES).map(|duplicates| duplicates.calls as f64);
    target(name::DUPLICATES, "calls", true, 2.0, duplicates);

    let earns = http(name::EARNS);
    target(name::EARNS, "calls, the session's read among them", true, 2.0, earns.map(|earns| earns.calls as f64));
    let ratio = compare(warm, earns, http(name::BARE_TRANSACTION));
    target(name::EARNS, "CPU / bare transaction of two", false, 1.3, ratio);
    let ratio = compare(warm, earns, http(name::BARE_SESSION));
    target(name::EARNS, "CPU / the same read and transaction, bare", false, 1.3, ratio);
    let player = http(name::PLAYER);
    target(name::PLAYER, "calls", true, 1.0, player.map(|player| player.calls as f64));
    let ratio = compare(warm, player, http(name::BARE_PLAYER));
    target(name::PLAYER, "CPU / bare transaction of two", false, 1.4, ratio);

    for case in [name::ONE_SAME, name::EARNS, name::PLAYER] {
        target(case, "MB, stripped", false, 6.5, http(case).map(|figures| figures.binary as f64 / 1e6));
        target(case, "MB of memory, at most", false, 9.0, http(case).map(|figures| figures.peak_memory as f64 / 1e6));
    }

    for (case, units) in [
        (name::ONE_SAME, 1.0),
        (name::BATCH_25, 25.0),
        (name::BATCH_100, 100.0),
        (name::EARNS, 5.0),
        (name::CAPPED, 7.0),
        (name::EARNS_NOTHING, 2.0),
    ] {
        let written = of(Which::Embedded, case).and_then(|figures| figures.units_written);
        target(case, "units written", true, units, written);
    }
    targets
}

/// As a table.
pub fn text(targets: &[Target]) -> String {
    let row = |target: &Target| {
        vec![
            format!("{}: {}", target.case, target.what),
            format!("{:.3}", target.measured),
            format!("{} {:.3}", if target.exact { "=" } else { "≤" }, target.wanted),
            if target.met { "met" } else { "not met" }.to_owned(),
        ]
    };
    table(&["target", "measured", "wanted", ""], &targets.iter().map(row).collect::<Vec<_>>())
}
