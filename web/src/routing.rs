//! Which row of the route table answers a path, and where in the path its arguments are.
//!
//! This module knows patterns, paths and row numbers, but neither handlers nor requests.
//!
//! # Which row answers
//! The first row of the table that matches, whatever its kind: a literal row does not
//! overtake an earlier row with arguments. [`Index`] finds the row without trying one after
//! the other, and agrees with a linear scan.
//!
//! # What is matched
//! The path of the request target, without its query, as bytes and still percent-encoded:
//! `%2F` separates no segments, `//` is an empty segment and is kept, and the path need not
//! be UTF-8. Two spellings of an escape that RFC 3986 calls equivalent are equal here:
//! `/%68ello` is answered by the row `/hello`, and `%c3` is `%C3` ([`escape`]).
//!
//! # Layout
//! - [`pattern`]: a row's pattern, either of the two forms, and [`PatternError`];
//! - [`segments`]: the form with `{name}`;
//! - [`regex`]: the form that is a regular expression;
//! - [`reverse`]: from a pattern and arguments back to a path;
//! - [`index`]: from a path to the row; [`edges`], its hash table; [`slashes`], which splits
//!   paths;
//! - [`arguments`]: where in the path a row's arguments are;
//! - [`cover`]: whether a row leaves paths for a later one;
//! - [`escape`]: percent escapes in paths.

mod arguments;
mod cover;
mod edges;
mod escape;
mod index;
mod pattern;
mod regex;
mod reverse;
mod segments;
mod slashes;

pub(crate) use arguments::Arguments;
pub(crate) use escape::decode_argument;
pub(crate) use index::Index;
pub(crate) use pattern::Pattern;

pub use escape::InvalidUtf8;
pub use pattern::PatternError;
pub use reverse::ReverseError;

#[cfg(test)]
mod tests;
