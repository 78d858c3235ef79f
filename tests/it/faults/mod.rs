//! Failures of processes and of the store: conflicts, writes with an unknown outcome, outdated state, kills.

mod conflicts;
mod kill;
mod unknown_outcome;
mod warm;
