//! Request heads: from bytes to [`Head`].
//!
//! `httparse` splits a head into its parts. [`meaning`] then decides what they mean for the
//! connection, in one pass, and refuses everything that two readers could understand in two ways.
//! [`partial`] checks a head that arrives in pieces.

use std::mem::{self, MaybeUninit};
use std::ops;

use http::Method;
use httparse::{Request, Status};
use memchr::memchr;

pub(crate) use self::partial::PartialHead;
use super::byte_class::is_token_byte;
pub(crate) use super::error::HeadError;
pub(crate) use super::framing::Framing;
pub(crate) use super::range::Range;

mod meaning;
mod partial;
mod target;

/// The number of fields that fit on the stack. The parser allocates for more. It is the default
/// limit; browsers send about 20.
const FIELDS_ON_STACK: usize = 100;

/// The length of the shortest possible field line: a letter, a colon, CR LF.
const SHORTEST_FIELD_LINE: usize = 4;

/// A parsed request head: ranges into its bytes, and what they mean for the connection.
///
/// Reused from request to request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// The target as received.
    pub(crate) target: Range,
    /// Begins with `/`. The exceptions are `*` for `OPTIONS *`, and the authority for CONNECT.
    pub(crate) path: Range,
    /// Everything after the first `?` of the target. May be empty.
    pub(crate) query: Option<Range>,
    /// The authority in the target, or otherwise the value of `Host`, which may be empty.
    pub(crate) authority: Option<Range>,
    pub(crate) version: Version,
    /// In the order in which they were received.
    pub(crate) fields: Vec<Field>,
    pub(crate) framing: Framing,
    /// Whether the client wants the connection to stay open after the response.
    pub(crate) keep_alive: bool,
    pub(crate) expect: Expect,
    /// Whether the client offers to switch to another protocol: `Connection: upgrade` and an
    /// `Upgrade` field, not under HTTP/1.0.
    pub(crate) upgrade: bool,
    /// Whether there is an `If-None-Match` field.
    pub(crate) if_none_match: bool,
}

/// The version of a request, as far as it makes a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, and any later 1.x. A server may ignore the additions of a minor version.
    #[default]
    Http11,
}

/// One field line of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// A token, in the case in which it was received.
    pub(crate) name: Range,
    /// Without surrounding spaces and tabs. Has no control bytes but tabs, and any bytes from 0x80
    /// on.
    pub(crate) value: Range,
}

/// The response that the client awaits before it sends the body. Always `None` under HTTP/1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expect {
    /// None, or the request has no body.
    #[default]
    None,
    /// `100 Continue`, or the final response.
    Continue,
    /// An unknown expectation: 417.
    Unknown,
}

/// The limits of a head. All are in bytes, except `max_fields`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// The whole head, including the blank line at its end (431).
    pub(crate) max_head_size: usize,
    /// The number of fields (431).
    pub(crate) max_fields: usize,
    /// The target alone (414).
    pub(crate) max_target: usize,
}

impl HeadLimits {
    /// Returns the front of `bytes`, up to the limit. The parser sees no bytes beyond the limit, so
    /// a head that is too large gets the same error however its bytes arrive. A position has 32
    /// bits.
    fn visible<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len().min(self.max_head_size).min(u32::MAX as usize)]
    }
}

impl Head {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets the request, and keeps the memory for the next one.
    pub(crate) fn clear(&mut self) {
        let mut fields = mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// Reads the head at the front of `bytes`, which are all bytes received since the last request.
    /// Returns its range in them, or `None` if it is incomplete.
    ///
    /// The ranges in the head are relative to its beginning. `partial` keeps the state of an
    /// incomplete head from call to call. Until the head is complete, `bytes` may only grow.
    ///
    /// Nearly every head arrives whole and is parsed at once. Otherwise it is parsed again only
    /// when its request line is complete, and when all of it is. In between, each new byte is
    /// checked once. So a client cannot make the server parse a long head for each of its bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the head is malformed, ambiguous, over a limit, or of an unknown
    /// version. The content of `self` is then meaningless.
    pub(crate) fn read(
        &mut self,
        partial: &mut PartialHead,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<ops::Range<usize>>, HeadError> {
        let bytes = limits.visible(bytes);
        let is_first = partial.is_new();
        if is_first || partial.advance(bytes)? {
            let start = partial::skip_blank_lines(bytes)?;
            if let Some(length) = self.parse(&bytes[start..], limits)? {
                *partial = PartialHead::default();
                return Ok(Some(start..start + length));
            }
        }
        if is_first {
            partial.advance(bytes)?;
        }
        match bytes.len() < limits.max_head_size {
            true => Ok(None),
            false => Err(partial.too_large(bytes)),
        }
    }

    /// Parses the head at the front of `bytes`. Returns its length, or `None` if it is incomplete.
    fn parse(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let mut headers = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
        let room = limits.max_fields.min(FIELDS_ON_STACK);
        let mut request = Request::new(&mut []);
        let parsed = match request.parse_with_uninit_headers(bytes, &mut headers[..room]) {
            Ok(parsed) => parsed,
            Err(httparse::Error::TooManyHeaders) if room == limits.max_fields => {
                return Err(HeadError::TooManyFields);
            }
            Err(
                httparse::Error::TooManyHeaders | httparse::Error::Token | httparse::Error::Version,
            ) => return self.parse_in_two_steps(bytes, limits),
            Err(error) => return Err(error.into()),
        };
        // An invalid request line is refused before the fields have arrived.
        let (Some(method), Some(target), Some(minor)) =
            (request.method, request.path, request.version)
        else {
            return Ok(None);
        };
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.interpret_request_line(bytes, method, target.as_bytes(), limits)?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        self.interpret_fields(&bytes[..length], request.headers)?;
        Ok(Some(length))
    }

    /// Parses heads that `httparse` refuses and this server accepts: of HTTP/1.2 to 1.9, with a
    /// target that is not UTF-8, or with more fields than fit on the stack. Finds the error in all
    /// other request lines.
    fn parse_in_two_steps(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        let Some(line) = RequestLine::parse(bytes)? else { return Ok(None) };
        self.interpret_request_line(bytes, line.method, line.target, limits)?;
        let room = limits.max_fields.min(bytes.len() / SHORTEST_FIELD_LINE);
        let mut headers = vec![httparse::EMPTY_HEADER; room];
        let parsed = httparse::parse_headers(&bytes[line.length..], &mut headers)?;
        let Status::Complete((length, headers)) = parsed else { return Ok(None) };
        let length = line.length + length;
        self.version = line.version;
        self.interpret_fields(&bytes[..length], headers)?;
        Ok(Some(length))
    }

    /// Whether the end of the request is certain. Under HTTP/1.0 a client may forget the length of
    /// a body, and the server would read the body as the next request.
    pub(crate) fn has_end(&self) -> bool {
        self.version == Version::Http11
            || self.framing != Framing::None
            || matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Returns the values of all fields called `name`, in order.
    pub(crate) fn fields<'b>(&self, bytes: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        let matches = |field: &&Field| {
            field.name.len() == name.len()
                && field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().filter(matches).map(|field| field.value.of(bytes))
    }
}

/// A request line that `httparse` refuses, and its length with the line end.
struct RequestLine<'b> {
    method: &'b str,
    target: &'b [u8],
    version: Version,
    length: usize,
}

impl<'b> RequestLine<'b> {
    /// Parses the request line at the front of `bytes`. Returns `None` if it is incomplete and
    /// correct so far.
    fn parse(bytes: &'b [u8]) -> Result<Option<Self>, HeadError> {
        let is_end = |byte: u8| !is_token_byte(byte);
        let Some([method, rest]) = split_at_space(bytes, is_end)? else { return Ok(None) };
        let is_end = |byte: u8| byte == b' ' || byte.is_ascii_control();
        let Some([target, rest]) = split_at_space(rest, is_end)? else { return Ok(None) };
        // Half a version is not an error, because the result must not depend on how the bytes
        // arrive.
        let Some(end) = memchr(b'\n', rest) else { return Ok(None) };
        let version = match &rest[..=end] {
            b"HTTP/1.0\r\n" => Version::Http10,
            // A later version may be taken for 1.1 (RFC 9110 §2.5).
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9', b'\r', b'\n'] => {
                Version::Http11
            }
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', b'\n'] => {
                return Err(HeadError::Version);
            }
            _ => return Err(HeadError::RequestLine),
        };
        let method = str::from_utf8(method).map_err(|_| HeadError::RequestLine)?;
        let length = bytes.len() - rest.len() + end + 1;
        Ok(Some(Self { method, target, version, length }))
    }
}

/// Splits `bytes` at the first byte for which `is_end` holds. Returns `None` if there is none.
///
/// # Errors
///
/// [`HeadError::RequestLine`] if that byte is the first, or is not a space.
fn split_at_space(
    bytes: &[u8],
    is_end: impl Fn(u8) -> bool,
) -> Result<Option<[&[u8]; 2]>, HeadError> {
    match bytes.iter().position(|&byte| is_end(byte)) {
        None => Ok(None),
        Some(end) if end > 0 && bytes[end] == b' ' => Ok(Some([&bytes[..end], &bytes[end + 1..]])),
        Some(_) => Err(HeadError::RequestLine),
    }
}

#[cfg(test)]
mod tests;
