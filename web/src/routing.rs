//! Finds the row of the route table for a path, and the places of its arguments in the path.
//!
//! This module knows patterns, paths and row numbers, but neither handlers nor requests.
//!
//! # Which row matches
//! The first row of the table that matches the path wins, whatever its kind: a literal row does not
//! overtake an earlier row with arguments. [`Index`] finds the row without trying one after the
//! other, and agrees with a linear scan.
//!
//! # The path
//! The path of the request target is matched without its query, as bytes, and still
//! percent-encoded. So `%2F` does not separate segments, `//` has an empty segment, and the path
//! need not be UTF-8. Two spellings of an escape that RFC 3986 calls equivalent are equal here:
//! `/%68ello` matches the row `/hello`, and `%c3` equals `%C3` ([`escape`]).
//!
//! # Layout
//! - [`pattern`]: a row's pattern in either form, and [`PatternError`];
//! - [`segments`]: the form with `{name}`;
//! - [`regex`]: the form that is a regular expression;
//! - [`reverse`]: from a pattern and arguments back to a path;
//! - [`index`]: from a path to the row, with its fast path; [`edges`], its hash
//!   table; [`slashes`], which splits paths;
//! - [`arguments`]: the places of a row's arguments in the path;
//! - [`cover`]: whether an earlier row matches all paths of a later one;
//! - [`escape`]: percent escapes in paths.

mod arguments;
mod cover;
mod edges;
mod escape;
mod index;
mod pattern;
mod regex;
mod reverse;
mod router;
mod segments;
mod slashes;

pub(crate) use arguments::Arguments;
pub(crate) use escape::decode_argument;
#[cfg(feature = "internals")]
pub(crate) use index::Index;
pub(crate) use pattern::Pattern;
pub(crate) use regex::literal_regex;
pub(crate) use router::{HostError, HostPattern, Router};

pub use escape::InvalidUtf8;
pub use pattern::PatternError;
pub use reverse::ReverseError;

#[cfg(test)]
mod tests;
