//! The HTTP layer: routes, error dialects, headers, request bodies and authentication. It does not depend on the store.
//!
//! A handler reads its request through a [`Call`] and returns a [`Reply`] or an [`Error`]. Errors are independent of
//! HTTP; the [`Dialect`] of the path renders them as responses in the vendor's format.
//!
//! ```
//! use punchcard_http::{Dialect, Error};
//! use uuid::Uuid;
//!
//! let reply = Dialect::Activities.render(&Error::NotFound("Activity not found"), Uuid::new_v4());
//! assert_eq!(reply.status(), 404);
//! ```

pub mod auth;
mod body;
mod call;
pub mod cursor;
mod dialect;
mod error;
mod reply;
pub mod route;
pub mod token;

pub use body::{MAX_BODY_BYTES, NotUtf8};
pub use call::Call;
pub use dialect::Dialect;
pub use error::{ACTIVITY_EXISTS, ALREADY_REVERSED, Error};
pub use lambda_http::{Body, Request, Response};
pub use reply::{Reply, gateway_answer};
pub use route::Route;
