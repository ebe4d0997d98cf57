//! Values and small tools that every layer uses.
//!
//! # Layout
//! - [`text`], [`content`]: text and bytes of a request;
//! - [`chunk`]: bytes for a response;
//! - [`http`]: the types of the `http` crate; [`http_date`]: dates in headers;
//! - [`pool`]: boxes that are reused;
//! - [`drop_each`]: drops values of the user that may panic;
//! - [`shield`]: waits that survive the end of the client's side of a connection;
//! - [`state_map`]: one value of each type;
//! - [`local_future`]: a boxed future.

pub(crate) mod chunk;
pub(crate) mod content;
pub(crate) mod drop_each;
pub mod http;
pub(crate) mod http_date;
pub(crate) mod local_future;
pub(crate) mod pool;
pub(crate) mod shield;
pub(crate) mod state_map;
pub(crate) mod text;
