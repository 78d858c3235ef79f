//! The edge: what every endpoint shares between the wire and its own rules.
//!
//! An endpoint makes a [`Call`] of each request and answers it with a [`Reply`] or an [`Error`]; errors know nothing
//! of HTTP until the endpoint's [`Dialect`] renders them, as the last step.

pub mod auth;
mod call;
mod dialect;
mod error;
mod lambda;
pub mod logs;
pub mod metering;
mod reply;
pub mod token;

pub use call::{Arrived, BUDGET, Call, Endpoint, MAX_BODY, now};
pub use dialect::Dialect;
pub use error::Error;
pub use lambda::run;
pub use lambda_http::{Body, Request, Response};
pub use reply::{Reply, gateway_answer};
