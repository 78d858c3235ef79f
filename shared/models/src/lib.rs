//! What the three dialects say and what the system means by it: wire members are parsed into types that cannot be
//! wrong. No AWS, no HTTP, no clock.

pub mod access;
pub mod activity;
pub mod client_event;
pub mod data;
pub mod decimal;
pub mod fault;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod member;
pub mod player_events;
pub mod session;
pub mod timestamp;
