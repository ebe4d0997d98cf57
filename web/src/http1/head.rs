//! Bytes → request head.
//!
//! `httparse` takes the head apart. It is lenient where a server must not be: it takes LF for a
//! line end, and says of a version only its last digit. What it accepts and we do not is found
//! by looking at the few places where it can be, not by going over all bytes again.

use std::mem::MaybeUninit;
use std::{mem, ops};

use http::Method;

pub(crate) use self::search::{Found, HeadSearch};
pub(crate) use super::error::HeadError;
pub(crate) use super::framing::Framing;
use super::framing::FramingFields;
pub(crate) use super::range::Range;

mod fields;
mod request_line;
mod search;
mod target;

/// A parsed request head: ranges into its bytes, and what they mean for the connection.
///
/// Made once per connection (or taken from a pool) and reused from request to request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// The target as it was sent.
    pub(crate) target: Range,
    /// Begins with `/`, except that it is `*` for `OPTIONS *` and the authority for CONNECT,
    /// which no resource here answers.
    pub(crate) path: Range,
    /// What follows the first `?` of the target, which may be nothing.
    pub(crate) query: Option<Range>,
    /// The authority in the target, else the value of `Host`, which may be empty.
    pub(crate) authority: Option<Range>,
    pub(crate) version: Version,
    /// In the order in which they came.
    pub(crate) fields: Vec<Field>,
    pub(crate) framing: Framing,
    /// Whether the client wants the connection to stay open after the response.
    pub(crate) keep_alive: bool,
    pub(crate) expect: Expect,
    /// Whether the client offers to go on with another protocol (`Connection: upgrade` and an
    /// `Upgrade` field, not under HTTP/1.0).
    pub(crate) upgrade: bool,
    /// Whether there is an `If-None-Match` field.
    pub(crate) if_none_match: bool,
    /// What the fields read so far mean, of use while the head is parsed.
    meaning: Meaning,
}

/// The version of a request, as far as it makes a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, and any later 1.x: a minor version only adds what may be ignored.
    #[default]
    Http11,
}

/// One field line of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// A token, in the case in which it was sent.
    pub(crate) name: Range,
    /// Without the spaces and tabs around it. No control bytes but tabs; any bytes from 0x80.
    pub(crate) value: Range,
}

/// What the client waits for before it sends the body. Always `None` under HTTP/1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing, or it waits although there is no body to send.
    #[default]
    None,
    /// `100 Continue`, or the final response.
    Continue,
    /// Something that is not known here: 417.
    Unknown,
}

/// What a head may be at most. All in bytes, except `max_fields`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// The whole head, with the blank line that ends it (431).
    pub(crate) max_head_size: usize,
    /// The number of fields (431).
    pub(crate) max_fields: usize,
    /// The target alone (414).
    pub(crate) max_target: usize,
}

/// Nearly all heads have fewer fields; more cost an allocation.
const USUAL_FIELDS: usize = 32;

/// Why a head could not be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It is not complete. So far nothing is wrong with it.
    Incomplete,
    Malformed(HeadError),
}

impl From<HeadError> for Stop {
    fn from(error: HeadError) -> Self {
        Self::Malformed(error)
    }
}

/// What the fields of a head mean for the connection.
#[derive(Clone, Copy, Debug, Default)]
struct Meaning {
    host: Option<Range>,
    framing: FramingFields,
    expect: Expect,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade_field: bool,
    if_none_match: bool,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets the request, keeping the memory for the next one.
    pub(crate) fn clear(&mut self) {
        let mut fields = mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// Reads the head at the front of `bytes`, everything that has arrived since the last
    /// request. Returns where it lies in them, or `None` if it is not complete.
    ///
    /// The ranges in the head are relative to where it begins. `search` holds what is known
    /// of the incomplete head from call to call.
    ///
    /// This is [`HeadSearch::find`] and [`parse`](Self::parse) in one. A head that arrives
    /// whole is not searched for its end at all, because the parser finds it.
    ///
    /// # Errors
    ///
    /// As `find` and `parse`; and a head that is not complete in `max_head_size` bytes.
    pub(crate) fn read(
        &mut self,
        search: &mut HeadSearch,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<ops::Range<usize>>, HeadError> {
        // What is beyond the limit is not looked at, so that a head that is too large is told as
        // that however its bytes arrive.
        let bytes = &bytes[..bytes.len().min(limits.max_head_size)];
        if search.is_new() && bytes.first().is_some_and(|byte| !matches!(byte, b'\r' | b'\n')) {
            match self.parse_front(bytes, limits) {
                Ok(end) => return Ok(Some(0..end)),
                Err(Stop::Malformed(error)) => return Err(error),
                Err(Stop::Incomplete) => {}
            }
        }
        match search.find(bytes) {
            Found::Head { start, end } => {
                self.parse(&bytes[start..end], limits)?;
                Ok(Some(start..end))
            }
            Found::Incomplete if bytes.len() >= limits.max_head_size => {
                Err(search.too_large(bytes))
            }
            Found::Incomplete => Ok(None),
            Found::Malformed(error) => Err(error),
        }
    }

    /// Parses `bytes`, exactly one complete head, ending with the blank line.
    ///
    /// # Errors
    ///
    /// When the head is malformed, ambiguous, over a limit or of an unknown version. What is
    /// in `self` then means nothing.
    pub(crate) fn parse(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        match self.parse_front(bytes, limits) {
            Ok(end) if end == bytes.len() => Ok(()),
            Ok(_) | Err(Stop::Incomplete) => Err(HeadError::LineEnd),
            Err(Stop::Malformed(error)) => Err(error),
        }
    }

    /// The values of all fields called `name`, in order.
    pub(crate) fn fields<'b>(&self, bytes: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        let matches = |field: &&Field| {
            field.name.len() == name.len()
                && field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().filter(matches).map(|field| field.value.of(bytes))
    }

    /// Parses the head at the front of `bytes` and returns its length.
    #[inline]
    fn parse_front(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, Stop> {
        let mut places = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
        let count = limits.max_fields.min(USUAL_FIELDS);
        match self.parse_with(bytes, limits, &mut places[..count]) {
            Err(Stop::Malformed(HeadError::TooManyFields)) if count < limits.max_fields => {
                self.parse_many(bytes, limits)
            }
            parsed => parsed,
        }
    }

    #[cold]
    fn parse_many(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, Stop> {
        let places = std::iter::repeat_with(MaybeUninit::uninit).take(limits.max_fields);
        self.parse_with(bytes, limits, &mut places.collect::<Vec<_>>())
    }

    fn parse_with<'b>(
        &mut self,
        bytes: &'b [u8],
        limits: &HeadLimits,
        places: &mut [MaybeUninit<httparse::Header<'b>>],
    ) -> Result<usize, Stop> {
        // Ranges have 32 bits.
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        let mut request = httparse::Request::new(&mut []);
        let end = match request.parse_with_uninit_headers(bytes, places) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Err(Stop::Incomplete),
            Err(httparse::Error::Version) => return self.parse_later_version(bytes, limits),
            Err(error) => return Err(explain(error, bytes).into()),
        };
        self.take_in_request_line(bytes, &request)?;
        if self.target.len() > limits.max_target {
            return Err(HeadError::TargetTooLong.into());
        }
        self.take_in_fields(&bytes[..end], request.headers)?;
        if end > limits.max_head_size {
            return Err(HeadError::TooLarge.into());
        }
        self.conclude()?;
        Ok(end)
    }

    /// Parses a head of HTTP/1.2 or later, of which `httparse` knows nothing, as the HTTP/1.1
    /// that it may be taken for (RFC 9110 §2.5).
    #[cold]
    fn parse_later_version(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, Stop> {
        // Half a version is no wrong one: what is answered must not depend on how it arrives.
        if !bytes.contains(&b'\n') {
            return Err(Stop::Incomplete);
        }
        let minor = request_line::later_minor_version(bytes)?;
        // Only the head is copied, not all the requests that may be behind it.
        let end = match HeadSearch::default().find(bytes) {
            Found::Head { end, .. } => end,
            Found::Incomplete => return Err(Stop::Incomplete),
            Found::Malformed(error) => return Err(error.into()),
        };
        let mut bytes = bytes[..end].to_vec();
        bytes[minor] = b'1';
        self.parse_front(&bytes, limits)
    }

    /// Whether it is certain under HTTP/1.0 where the request ends. A body needs a length there,
    /// and a client that leaves it out would have its body read as the next request.
    #[cold]
    fn has_end(&self) -> bool {
        self.framing != Framing::None || matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Decides what all fields together mean.
    #[inline]
    fn conclude(&mut self) -> Result<(), HeadError> {
        let meaning = &self.meaning;
        let http11 = self.version == Version::Http11;
        if http11 && meaning.host.is_none() {
            return Err(HeadError::HostMissing);
        }
        self.authority = self.authority.or(meaning.host);
        self.framing = meaning.framing.decide(self.version)?;
        self.keep_alive = !meaning.close && (http11 || meaning.keep_alive && self.has_end());
        self.if_none_match = meaning.if_none_match;
        self.upgrade = http11 && meaning.upgrade_option && meaning.upgrade_field;
        self.expect = match (meaning.expect, self.framing) {
            (Expect::Continue, Framing::None | Framing::Length(0)) => Expect::None,
            (expect, _) if http11 => expect,
            _ => Expect::None,
        };
        Ok(())
    }
}

/// What `httparse` means by `error`.
#[cold]
fn explain(error: httparse::Error, bytes: &[u8]) -> HeadError {
    match error {
        httparse::Error::HeaderName => HeadError::FieldName,
        httparse::Error::HeaderValue => HeadError::FieldValue,
        httparse::Error::NewLine => HeadError::LineEnd,
        httparse::Error::TooManyHeaders => HeadError::TooManyFields,
        httparse::Error::Version => match request_line::later_minor_version(bytes) {
            Ok(_) => HeadError::Version,
            Err(error) => error,
        },
        httparse::Error::Token | httparse::Error::Status => HeadError::RequestLine,
    }
}

#[cfg(test)]
mod tests;
