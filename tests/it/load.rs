//! The benchmark itself: what it counts is what it should be, whatever the machine. Times are none of a test's.

use std::process::Command;

use serde_json::Value;

use crate::support::binaries::binary;

#[test]
fn every_request_of_the_benchmark_takes_the_round_trips_and_units_that_it_has_to() {
    let benchmark = binary("punchcard-load");
    let folder = benchmark.parent().expect("a folder");
    let mut run = Command::new(&benchmark);
    run.args(["--quick", "--json", "--setting", "tls", "--setting", "embedded", "--binaries"]).arg(folder);
    let output = run.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let targets = figures["targets"].as_array().expect("targets");
    let counted: Vec<_> = targets.iter().filter(|target| target["exact"] == true).collect();
    assert!(counted.len() >= 7, "{targets:?}");
    for target in counted {
        assert_eq!(target["met"], true, "{target}");
    }
}
