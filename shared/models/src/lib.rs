//! Domain types, and the parsers that turn each vendor's wire format into them.
//!
//! Values of these types are always valid: parsers check all rules of the contract and report all faults at once. The
//! crate does not depend on AWS, HTTP or the system clock.
//!
//! ```
//! use punchcard_models::{
//!     api_version::ApiVersion, fault::Faults, json, player_events::PlayerEvents, settings::ChannelMerging,
//! };
//!
//! let body = br#"{"playerUniqueId":"player123","events":{"review":{}}}"#;
//! let faults = Faults::default();
//! let parsed = json::parse(body, &faults, |body| PlayerEvents::parse(body, ApiVersion::V3, ChannelMerging::None));
//! let request = faults.none_or(parsed).expect("a valid request");
//! assert_eq!(&*request.player.id, "player123");
//! ```

pub mod access;
pub mod activity;
pub mod address;
pub mod api_version;
pub mod channel;
pub mod client_event;
pub mod correction;
pub mod data;
pub mod decimal;
pub mod erasure;
pub mod fault;
pub mod idempotency;
pub mod ids;
pub mod json;
pub mod member;
pub mod order;
pub mod player;
pub mod player_events;
pub mod refund;
pub mod session;
pub mod settings;
pub mod timestamp;
