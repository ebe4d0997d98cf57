//! HTTP/1.x as bytes: parses requests and writes responses.
//!
//! Everything here is pure: functions take slices and return values or bytes. Nothing is received,
//! sent, timed or logged. An invalid request becomes a [`HeadError`](error::HeadError) or a
//! [`BodyError`](error::BodyError), and only these two decide its status.
//!
//! Bytes that two parsers could understand in two ways are refused, because one of the two parsers
//! may be a proxy in front of this server.
//!
//! # Layout
//! - [`head`]: parses request heads. [`head::partial`](head::PartialHead) checks heads that arrive
//!   in pieces, `head::target` finds path, query and authority, and `head::meaning` decides what
//!   the fields mean for the connection;
//! - [`framing`]: the length of a request's body, from `Content-Length` and `Transfer-Encoding`;
//! - [`host`]: the syntax of `Host`;
//! - [`field`]: field values: white space, lists, tokens;
//! - [`byte_class`]: the bytes of tokens, field values and hosts;
//! - [`range`]: a part of a head, in 8 bytes;
//! - [`body`]: removes the framing of a body;
//! - [`inflate`]: decompresses a body;
//! - [`encode`]: writes response heads and chunks;
//! - [`header_list`]: the headers of a response;
//! - [`send_buffer`]: the bytes to send;
//! - [`date`]: the `Date` header, rendered once a second;
//! - [`etag`]: the automatic `Etag`, and `If-None-Match`.

pub(crate) mod body;
pub(crate) mod byte_class;
pub(crate) mod date;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod etag;
pub(crate) mod field;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod header_list;
pub(crate) mod host;
pub(crate) mod inflate;
pub(crate) mod range;
pub(crate) mod send_buffer;
