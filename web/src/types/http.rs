//! The types of the `http` crate, which other frameworks use as well.

pub use http::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use http::{Method, StatusCode};
