//! Domain types, and the parsers that turn each vendor's wire format into them.
//!
//! A value of one of these types is valid: parsing checks every rule of the contract, and reports everything that is
//! wrong at once. Nothing here knows AWS, HTTP or the clock.
//!
//! ```
//! use punchcard_models::{fault::Faults, json, player_events::PlayerEvents, settings::ChannelMerging};
//!
//! let body = br#"{"playerUniqueId":"player123","events":{"review":{}}}"#;
//! let faults = Faults::default();
//! let parsed = json::parse(body, &faults, |body| PlayerEvents::parse(body, ChannelMerging::None));
//! let request = faults.none_or(parsed).expect("a valid request");
//! assert_eq!(&*request.player_id, "player123");
//! ```

pub mod access;
pub mod activity;
pub mod address;
pub mod channel;
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
pub mod settings;
pub mod timestamp;
