//! The vocabulary shared with the rest of the field: the types of the `http` crate.

pub use http::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use http::{Method, StatusCode};
