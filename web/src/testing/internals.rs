//! Access to the inside of this crate for the microbenchmarks in `benches/micro`, the fuzz targets
//! and the comparison with other implementations. It exists only with the feature `internals` and
//! is not part of the public interface.

use std::cell::Cell;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::http1::encode::{ConnectionHeader, ResponseFraming, ResponseHead, encode_head};
use crate::http1::head::{Head, HeadLimits, PartialHead};
use crate::http1::header_list::HeaderList;
use crate::http1::send_buffer::SendBuffer;
use crate::routing::{Arguments, Index, Pattern, PatternError};

mod websocket;

pub use websocket::{
    WebSocketDeflate, WebSocketEvent, WebSocketReader, WebSocketSide, WebSocketWriter,
    websocket_extensions,
};

/// Parses request heads one after the other, like a connection.
#[derive(Debug)]
pub struct Heads {
    head: Head,
    limits: HeadLimits,
}

impl Heads {
    /// Creates a parser with the default limits of a server.
    pub fn new() -> Self {
        let limits = HeadLimits { max_head_size: 64 << 10, max_fields: 100, max_target: 8 << 10 };
        Self { head: Head::new(), limits }
    }

    /// Returns the length of the head at the front of `bytes`, if it is complete and valid.
    pub fn parse(&mut self, bytes: &[u8]) -> Option<usize> {
        self.head.clear();
        let place = self.head.read(&mut PartialHead::default(), bytes, &self.limits);
        place.ok().flatten().map(|place| place.end)
    }
}

impl Default for Heads {
    fn default() -> Self {
        Self::new()
    }
}

/// Finds the row of a route table for a path.
#[derive(Debug)]
pub struct Rows {
    index: Index,
    arguments: Arguments,
}

impl Rows {
    /// Creates a table of patterns for [`route`](crate::route()).
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is malformed.
    pub fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self, PatternError> {
        Self::of(patterns.map(Pattern::parse))
    }

    /// Creates a table of patterns for [`regex`](crate::regex()).
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is malformed.
    pub fn regexes<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self, PatternError> {
        Self::of(patterns.map(Pattern::regex))
    }

    /// Returns the number of the row, beginning with 0.
    pub fn find(&mut self, path: &[u8]) -> Option<usize> {
        self.index.find(path, path.len(), &mut self.arguments)
    }

    fn of(
        patterns: impl Iterator<Item = Result<Pattern, PatternError>>,
    ) -> Result<Self, PatternError> {
        let patterns: Vec<Pattern> = patterns.collect::<Result<_, _>>()?;
        Ok(Self { index: Index::new(&patterns), arguments: Arguments::new() })
    }
}

/// The buffer for the head of a response.
#[derive(Debug, Default)]
pub struct Encoded(SendBuffer);

/// The headers of a response.
#[derive(Debug, Default)]
pub struct ResponseHeaders(HeaderList);

impl ResponseHeaders {
    /// Creates a list of `headers`.
    pub fn new(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let mut list = HeaderList::new();
        headers.into_iter().for_each(|(name, value)| list.add(name, value));
        Self(list)
    }

    /// Writes the head of a response with a body of `length` bytes to `out`. Replaces its content.
    pub fn encode(&self, out: &mut Encoded, length: u64) {
        out.0.clear();
        encode_head(
            &mut out.0,
            &ResponseHead {
                status: StatusCode::OK,
                reason: None,
                headers: &self.0,
                framing: ResponseFraming::Length(length),
                connection: ConnectionHeader::Implied,
                date: &Cell::new(*b"Date: Mon, 23 Nov 2026 06:00:00 GMT\r\n"),
                etag: None,
                server: true,
            },
        );
    }
}
