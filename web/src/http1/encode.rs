//! Writes response heads and chunks as bytes.
//!
//! Header names are sent as `Content-Type`, not `content-type`. The meaning is the same, but people
//! and old scripts expect this form, and it costs little.

use std::cell::Cell;

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::date::DateLine;
use super::etag::ETag;
use super::field::is_reason_phrase;
use super::head::Version;
use super::header_list::{HeaderList, HeaderRole};
use super::send_buffer::{Room, SendBuffer};

mod fast;

pub(crate) use fast::encode_fast;

/// The interim response to `Expect: 100-continue`.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Ends each chunk, after its data.
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

/// Ends a chunked body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The first lines of a 200 response.
const STATUS_AND_SERVER: &[u8; STATUS_AND_SERVER_TEXT.len()] =
    STATUS_AND_SERVER_TEXT.as_bytes().first_chunk().unwrap();
const STATUS_AND_SERVER_TEXT: &str =
    concat!("HTTP/1.1 200 OK\r\nServer: Squall/", env!("CARGO_PKG_VERSION"), "\r\n");
const STATUS_200: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// The default `Content-Type` of a response with a body, as in Tornado.
const HTML: &[u8] = b"text/html; charset=UTF-8";

/// The parts of a response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead<'a> {
    pub(crate) status: StatusCode,
    /// Replaces the standard reason phrase, unless it has bytes that a status line cannot hold.
    pub(crate) reason: Option<&'a str>,
    /// In the order in which they are sent.
    ///
    /// `Content-Length`, `Transfer-Encoding` and `Connection` are skipped, because `framing` and
    /// `connection` decide these. `Date` and `Server` replace those of the framework. A response
    /// with a body and no `Content-Type` gets the default one.
    pub(crate) headers: &'a HeaderList,
    pub(crate) framing: ResponseFraming,
    pub(crate) connection: ConnectionHeader,
    pub(crate) date: &'a Cell<DateLine>,
    /// The automatic `Etag`. If there is one, the headers must not have another.
    pub(crate) etag: Option<ETag>,
    /// Whether to send a `Server` header.
    pub(crate) server: bool,
}

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFraming {
    /// By `Content-Length`. In a response to HEAD, this is the length for GET.
    Length(u64),
    /// By chunks. Never for an HTTP/1.0 client.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// No body, whatever the headers say: 1xx, 204, 304, and 2xx to CONNECT.
    None,
}

impl ResponseFraming {
    fn has_body(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }

    /// Returns the framing of a response. `length` is the length of its body, if that is known.
    pub(crate) fn of(version: Version, status: StatusCode, length: Option<u64>) -> Self {
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (length, version) {
            _ if bodiless || status.is_informational() => Self::None,
            (Some(length), _) => Self::Length(length),
            (None, Version::Http11) => Self::Chunked,
            (None, Version::Http10) => Self::UntilClose,
        }
    }
}

/// The `Connection` header of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionHeader {
    /// None: the default of the version holds.
    Implied,
    /// `close`
    Close,
    /// `Keep-Alive`, for HTTP/1.0.
    KeepAlive,
    /// `Upgrade`: the connection continues with the protocol in the `Upgrade` header.
    Upgrade,
}

impl ConnectionHeader {
    /// Returns the header for a request of `version`. `kept` says whether the connection stays
    /// open.
    pub(crate) fn of(version: Version, kept: bool) -> Self {
        match (version, kept) {
            (Version::Http10, true) => Self::KeepAlive,
            (Version::Http11, false) => Self::Close,
            (Version::Http10, false) | (Version::Http11, true) => Self::Implied,
        }
    }
}

/// Appends the head of a response to `out`.
///
/// The order is Tornado's: `Server`, the headers of the handler, `Date`, `Etag`, the framing, and
/// `Connection`.
pub(crate) fn encode_head(out: &mut SendBuffer, head: &ResponseHead<'_>) {
    let headers = head.headers;
    let server = head.server && !headers.has(HeaderRole::Server);
    if head.status == StatusCode::OK && head.reason.is_none() && server {
        out.put_together(STATUS_AND_SERVER.len(), |room| room.put(STATUS_AND_SERVER));
    } else {
        status_line(out, head.status, head.reason);
        if server {
            out.extend(&STATUS_AND_SERVER[STATUS_200.len()..]);
        }
    }
    if head.framing.has_body() && !headers.has(HeaderRole::ContentType) {
        content_type(out, HTML);
    }
    if headers.has_governed() {
        fields(out, headers.lines());
    } else {
        headers.lines().iter().for_each(|(name, value)| field(out, name, value));
    }
    out.put_together(TAIL, |room| tail(room, head));
}

fn put_etag(room: &mut Room<'_>, etag: ETag) {
    room.put_with(|line: &mut [u8; ETAG.len()]| {
        *line = *ETAG;
        if let Some(digits) = line[b"Etag: \"".len()..].first_chunk_mut() {
            etag.put_digits(digits);
        }
    });
}

const ETAG: &[u8; 26] = b"Etag: \"0123456789abcdef\"\r\n";
const CONTENT_LENGTH: &[u8; 16] = b"Content-Length: ";
const CHUNKED: &[u8; 28] = b"Transfer-Encoding: chunked\r\n";
const KEEP_ALIVE: &[u8; 24] = b"Connection: Keep-Alive\r\n";

/// The maximum length of everything after the handler's headers.
const TAIL: usize = size_of::<DateLine>()
    + ETAG.len()
    + CONTENT_LENGTH.len()
    + Room::DECIMAL
    + KEEP_ALIVE.len()
    + b"\r\n\r\n".len();

/// Writes everything after the handler's headers.
fn tail(room: &mut Room<'_>, head: &ResponseHead<'_>) {
    if !head.headers.has(HeaderRole::Date) {
        room.put(&head.date.get());
    }
    if let Some(etag) = head.etag {
        put_etag(room, etag);
    }
    match head.framing {
        ResponseFraming::Length(length) => {
            room.put(CONTENT_LENGTH);
            room.put_decimal(length);
            room.put(b"\r\n");
        }
        ResponseFraming::Chunked => room.put(CHUNKED),
        ResponseFraming::UntilClose | ResponseFraming::None => {}
    }
    match head.connection {
        ConnectionHeader::Implied => {}
        ConnectionHeader::Close => room.put(b"Connection: close\r\n"),
        ConnectionHeader::KeepAlive => room.put(KEEP_ALIVE),
        ConnectionHeader::Upgrade => room.put(b"Connection: Upgrade\r\n"),
    }
    room.put(b"\r\n");
}

/// Appends an informational response (1xx other than 101), which comes before the final response.
pub(crate) fn encode_informational(
    out: &mut SendBuffer,
    status: StatusCode,
    headers: &[(HeaderName, HeaderValue)],
) {
    debug_assert!(status.is_informational());
    status_line(out, status, None);
    fields(out, headers);
    out.extend(b"\r\n");
}

/// Appends the size line of a chunk of `len` bytes. `len` must not be 0, because an empty chunk
/// ends the body.
pub(crate) fn chunk_start(out: &mut SendBuffer, len: u64) {
    debug_assert_ne!(len, 0, "an empty chunk ends the body");
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.extend(&[b"0123456789abcdef"[(len >> (4 * digit) & 0xf) as usize]]);
    }
    out.extend(b"\r\n");
}

/// Appends the end of a chunked body with trailers.
pub(crate) fn encode_trailers(out: &mut SendBuffer, trailers: &[(HeaderName, HeaderValue)]) {
    out.extend(b"0\r\n");
    fields(out, trailers);
    out.extend(b"\r\n");
}

fn status_line(out: &mut SendBuffer, status: StatusCode, reason: Option<&str>) {
    let reason = reason.filter(|reason| is_reason_phrase(reason));
    out.extend(b"HTTP/1.1 ");
    out.extend(status.as_str().as_bytes());
    out.extend(b" ");
    out.extend(reason.or(status.canonical_reason()).unwrap_or("Unknown").as_bytes());
    out.extend(b"\r\n");
}

/// Appends `headers`, except those that only the encoder may set.
fn fields(out: &mut SendBuffer, headers: &[(HeaderName, HeaderValue)]) {
    for (name, value) in headers.iter().filter(|(name, _)| !HeaderRole::of(name).is_governed()) {
        field(out, name, value);
    }
}

fn field(out: &mut SendBuffer, name: &HeaderName, value: &HeaderValue) {
    match *name {
        header::CONTENT_TYPE => content_type(out, value.as_bytes()),
        _ => other_field(out, name, value),
    }
}

fn other_field(out: &mut SendBuffer, name: &HeaderName, value: &HeaderValue) {
    match capitalised(name.as_str()) {
        Some(name) => out.extend(name.as_bytes()),
        None => capitalise(out, name.as_str()),
    }
    out.extend(value.as_bytes());
    out.extend(b"\r\n");
}

fn content_type(out: &mut SendBuffer, value: &[u8]) {
    out.put_together(b"Content-Type: \r\n".len() + value.len(), |room| {
        room.put(b"Content-Type: ");
        room.extend(value);
        room.put(b"\r\n");
    });
}

/// The names of common response headers, as they are sent.
fn capitalised(name: &str) -> Option<&'static str> {
    Some(match name {
        "age" => "Age: ",
        "vary" => "Vary: ",
        "etag" => "Etag: ",
        "link" => "Link: ",
        "allow" => "Allow: ",
        "expires" => "Expires: ",
        "location" => "Location: ",
        "set-cookie" => "Set-Cookie: ",
        "retry-after" => "Retry-After: ",
        "cache-control" => "Cache-Control: ",
        "content-range" => "Content-Range: ",
        "accept-ranges" => "Accept-Ranges: ",
        "last-modified" => "Last-Modified: ",
        "content-encoding" => "Content-Encoding: ",
        "content-language" => "Content-Language: ",
        "content-disposition" => "Content-Disposition: ",
        "content-security-policy" => "Content-Security-Policy: ",
        "strict-transport-security" => "Strict-Transport-Security: ",
        "x-content-type-options" => "X-Content-Type-Options: ",
        "x-frame-options" => "X-Frame-Options: ",
        "access-control-allow-origin" => "Access-Control-Allow-Origin: ",
        _ => return None,
    })
}

/// Appends `name` with each of its words capitalised.
fn capitalise(out: &mut SendBuffer, name: &str) {
    let mut word_begins = true;
    for mut byte in name.bytes() {
        if word_begins {
            byte.make_ascii_uppercase();
        }
        word_begins = byte == b'-';
        out.extend(&[byte]);
    }
    out.extend(b": ");
}

#[cfg(test)]
mod tests;
