//! One run of the checker, and its report.

use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model as _, Path};

use crate::{action::Action, model::Protocol, state::State};

/// The result of a run of the checker.
#[derive(Debug)]
pub struct Report {
    /// The model that was explored.
    pub protocol: Protocol,
    /// Number of different states.
    pub states: usize,
    /// Number of states of the longest path that was followed.
    pub depth: usize,
    /// The time that it took.
    pub took: Duration,
    /// Properties that do not hold, each with the path to a state that shows it.
    pub violations: Vec<Violation>,
    /// Properties that need an example and have none.
    pub without_example: Vec<&'static str>,
    /// Properties that need an example and have one.
    pub with_example: Vec<&'static str>,
}

/// A property that does not hold.
#[derive(Debug)]
pub struct Violation {
    /// The property.
    pub property: &'static str,
    /// The states, each with the action that left it.
    pub path: Path<State, Action>,
}

impl Report {
    /// Returns true if every property holds and has an example.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.violations.is_empty() && self.without_example.is_empty()
    }
}

/// Explores every state of a model.
#[must_use]
pub fn check(protocol: Protocol) -> Report {
    let started = Instant::now();
    // Depth first takes half the time of breadth first, and less memory.
    let checker = protocol.checker().spawn_dfs().join();
    let discoveries = checker.discoveries();
    let mut report = Report {
        protocol,
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: started.elapsed(),
        violations: Vec::new(),
        without_example: Vec::new(),
        with_example: Vec::new(),
    };
    for property in protocol.properties() {
        let found = discoveries.get(property.name).cloned();
        match (property.expectation, found) {
            (Expectation::Sometimes, Some(_)) => report.with_example.push(property.name),
            (Expectation::Sometimes, None) => report.without_example.push(property.name),
            (_, Some(path)) => {
                let path = shortest(protocol, property.name, path);
                report.violations.push(Violation { property: property.name, path });
            }
            (_, None) => {}
        }
    }
    report
}

/// Returns a shortest path to a violation. The checker returns the last one that it found before it stopped, so it is
/// run again on shorter paths only, until there is none.
fn shortest(protocol: Protocol, property: &'static str, mut path: Path<State, Action>) -> Path<State, Action> {
    loop {
        let states = path.clone().into_states().len();
        let checker = protocol.checker().finish_when(HasDiscoveries::AllOf([property].into()));
        // States at this depth are not examined any more.
        let shorter = checker.target_max_depth(states).spawn_bfs().join().discovery(property);
        let Some(shorter) = shorter else { return path };
        path = shorter;
    }
}
