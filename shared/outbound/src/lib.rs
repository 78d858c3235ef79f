//! Outbound events: one for each new record, with what it earned and what its member has after it.
//!
//! An event is made in two steps: [`Draft::of`] reads the record, and [`Drafts::complete`] adds the balances, which are
//! read after the record was written. So a balance includes the record, and may include later ones. Its version says which
//! of two balances of a member is the later one. `docs/events.md` describes the events, and `docs/events.schema.json` is
//! their schema.

mod draft;
mod event;
mod pauses;

pub use draft::Draft;
pub use event::{Drafts, EventKind, OutboundEvent, SCHEMA_VERSION, SOURCE};
pub use pauses::pauses;
