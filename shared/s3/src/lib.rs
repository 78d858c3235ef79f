//! Access to S3.
//!
//! [`Upload`] signs a `PUT` itself: nine functions upload a rejected request now and then, and S3's client would make all
//! of them larger. The feature `client` has the settings of that client, for the archive and for operators.

#[cfg(feature = "client")]
mod client;
mod error;
mod upload;

#[cfg(feature = "client")]
pub use client::{Limits, connect};
pub use error::S3Error;
pub use upload::Upload;
