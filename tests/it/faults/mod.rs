//! Failures of processes and of the store: writes with an unknown outcome, warm processes with outdated state, kills.

mod kill;
mod unknown_outcome;
mod warm;
