//! Handlers that show the state and the counts of all workers of a server.
//!
//! # Layout
//! - [`metrics`]: counts, in the format of Prometheus;
//! - [`health`]: whether a worker is alive, and whether the server is ready;
//! - [`control`]: the status as JSON and as a page.

pub mod control;
pub mod health;
pub mod metrics;
