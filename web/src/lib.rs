//! Squall.

#![forbid(unsafe_code)]

mod http1;
mod routing;
