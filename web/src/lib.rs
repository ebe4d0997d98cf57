//! Squall.

#![forbid(unsafe_code)]
