//! The benchmark: the figures that do not depend on the machine are exact. Times are not tested.

use std::process::Command;

use serde_json::Value;

use crate::support::binaries::binary;

#[test]
fn every_request_of_the_benchmark_takes_the_expected_round_trips_and_units() {
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
