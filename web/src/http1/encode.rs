//! Response head and chunks → bytes.
//!
//! Names go out as `Content-Type` rather than `content-type`. They mean the same, but that is
//! how people and old scripts expect them, and it costs little.

use http::{HeaderName, HeaderValue, StatusCode};

use super::etag::ETag;
use super::field::{has_token, is_reason_phrase};
use super::head::Version;

/// The answer to `Expect: 100-continue`.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What follows the data of each chunk.
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

/// What ends a chunked body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const OK_AND_SERVER: &[u8] =
    concat!("HTTP/1.1 200 OK\r\nServer: Squall/", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes();
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// Room for all that is not a handler's field.
const OWN_PART: usize = 256;

/// What the head of a response is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead<'a> {
    pub(crate) status: StatusCode,
    /// Instead of the standard phrase. One that cannot stand in a status line is not written.
    pub(crate) reason: Option<&'a str>,
    /// In the order in which they are to go out.
    ///
    /// `Content-Length`, `Transfer-Encoding` and `Connection` are passed over, for `framing`
    /// and `connection` govern these; `Date` and `Server` replace ours.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    pub(crate) framing: ResponseFraming,
    pub(crate) connection: ConnectionHeader,
    pub(crate) date: &'a [u8; 29],
    /// The automatic `Etag`. None may be among the headers then.
    pub(crate) etag: Option<&'a ETag>,
    /// Whether to say what server this is.
    pub(crate) server: bool,
}

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFraming {
    /// By `Content-Length`. To HEAD, the length that GET would get.
    Length(u64),
    /// By chunks. Never to a request of HTTP/1.0.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// Without a body whatever the fields say: 1xx, 204, 304, and 2xx to CONNECT.
    None,
}

impl ResponseFraming {
    /// The framing of a response, with the length of its body if that is known.
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

/// What the response says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionHeader {
    /// Nothing: what happens is what the version implies.
    Implied,
    /// `close`
    Close,
    /// `Keep-Alive`, for HTTP/1.0.
    KeepAlive,
    /// `Upgrade`: the protocol named in the `Upgrade` header follows.
    Upgrade,
}

impl ConnectionHeader {
    /// What to say to a request of `version` if the connection is or is not kept.
    pub(crate) fn of(version: Version, kept: bool) -> Self {
        match (version, kept) {
            (Version::Http10, true) => Self::KeepAlive,
            (Version::Http11, false) => Self::Close,
            (Version::Http10, false) | (Version::Http11, true) => Self::Implied,
        }
    }
}

/// Whether a handler's own `Connection` header asks for the connection to be closed.
pub(crate) fn asks_to_close(headers: &[(HeaderName, HeaderValue)]) -> bool {
    let connection = headers.iter().filter(|(name, _)| name == http::header::CONNECTION);
    connection.into_iter().any(|(_, value)| has_token(value.as_bytes(), "close"))
}

/// Appends the head of a response to `out`.
///
/// The order is Tornado's: `Server`, what the handler set, `Date`, `Etag`, the framing, and
/// `Connection`.
pub(crate) fn encode_head(out: &mut Vec<u8>, head: &ResponseHead<'_>) {
    let found = survey(head.headers);
    out.reserve(found.size + OWN_PART);

    let server = head.server && !found.server;
    match (head.status, head.reason) {
        (StatusCode::OK, None) if server => out.extend_from_slice(OK_AND_SERVER),
        (StatusCode::OK, None) => out.extend_from_slice(OK),
        (status, reason) => {
            status_line(out, status, reason);
            if server {
                out.extend_from_slice(&OK_AND_SERVER[OK.len()..]);
            }
        }
    }
    for (name, value) in head.headers {
        if role(name) != Role::Governed {
            field(out, name, value);
        }
    }
    if !found.date {
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(head.date);
        out.extend_from_slice(b"\r\n");
    }
    if let Some(etag) = head.etag {
        out.extend_from_slice(b"Etag: ");
        out.extend_from_slice(etag.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    match head.framing {
        ResponseFraming::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        ResponseFraming::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        ResponseFraming::UntilClose | ResponseFraming::None => {}
    }
    out.extend_from_slice(match head.connection {
        ConnectionHeader::Implied => b"\r\n",
        ConnectionHeader::Close => b"Connection: close\r\n\r\n".as_slice(),
        ConnectionHeader::KeepAlive => b"Connection: Keep-Alive\r\n\r\n",
        ConnectionHeader::Upgrade => b"Connection: Upgrade\r\n\r\n",
    });
}

/// Appends an informational response (1xx other than 101), which precedes the final one.
pub(crate) fn encode_informational(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &[(HeaderName, HeaderValue)],
) {
    debug_assert!(status.is_informational());
    status_line(out, status, None);
    fields(out, headers);
    out.extend_from_slice(b"\r\n");
}

/// Appends what precedes the data of a chunk of `len` bytes, which must not be 0: that would
/// end the body.
pub(crate) fn chunk_start(out: &mut Vec<u8>, len: u64) {
    debug_assert_ne!(len, 0, "an empty chunk ends the body");
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(len >> (4 * digit) & 0xf) as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body with trailers.
pub(crate) fn encode_trailers(out: &mut Vec<u8>, trailers: &[(HeaderName, HeaderValue)]) {
    out.extend_from_slice(b"0\r\n");
    fields(out, trailers);
    out.extend_from_slice(b"\r\n");
}

/// What a header means to the encoder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    Date,
    Server,
    /// Not the handler's to say.
    Governed,
}

fn role(name: &HeaderName) -> Role {
    match name.as_str() {
        "date" => Role::Date,
        "server" => Role::Server,
        "connection" | "content-length" | "transfer-encoding" => Role::Governed,
        _ => Role::Plain,
    }
}

/// What a handler's headers hold.
#[derive(Default)]
struct Survey {
    /// Bytes of all the lines.
    size: usize,
    date: bool,
    server: bool,
}

fn survey(headers: &[(HeaderName, HeaderValue)]) -> Survey {
    let mut found = Survey::default();
    for (name, value) in headers {
        found.size += name.as_str().len() + value.len() + b": \r\n".len();
        match role(name) {
            Role::Date => found.date = true,
            Role::Server => found.server = true,
            Role::Plain | Role::Governed => {}
        }
    }
    found
}

fn status_line(out: &mut Vec<u8>, status: StatusCode, reason: Option<&str>) {
    let reason = reason.filter(|reason| is_reason_phrase(reason));
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.or(status.canonical_reason()).unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends fields, without those that only an encoder may set.
fn fields(out: &mut Vec<u8>, headers: &[(HeaderName, HeaderValue)]) {
    for (name, value) in headers.iter().filter(|(name, _)| role(name) != Role::Governed) {
        field(out, name, value);
    }
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let name = name.as_str();
    match capitalised(name) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => capitalise(out, name),
    }
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The names that responses commonly have, as they are sent.
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
        "content-type" => "Content-Type: ",
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
fn capitalise(out: &mut Vec<u8>, name: &str) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    let mut word_begins = true;
    for byte in &mut out[start..] {
        if word_begins {
            byte.make_ascii_uppercase();
        }
        word_begins = *byte == b'-';
    }
    out.extend_from_slice(b": ");
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests;
