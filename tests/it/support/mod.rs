//! Shared by the tests: an API and binaries to test, clients that send, a store that fails, and checks of each response.

pub mod activities;
pub mod app;
pub mod binaries;
pub mod bucket;
pub mod chance;
pub mod customers;
pub mod description;
pub mod events;
pub mod lambda;
pub mod logs;
pub mod players;
pub mod proxy;
pub mod streams;
