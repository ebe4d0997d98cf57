//! Handlers that show what all workers of a server do.

pub mod control;
pub mod health;
pub mod metrics;
