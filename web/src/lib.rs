//! Squall.

#![forbid(unsafe_code)]

mod routing;
