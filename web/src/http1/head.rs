//! Bytes → request head.
//!
//! The parser is our own: a general one took three times the instructions, and accepted much
//! that then had to be looked for again (LF for a line end, later versions). What is written
//! as nearly all clients write it is found by comparing words; everything else, with all that
//! is refused, by reading byte by byte.

use std::{mem, ops};

use http::Method;

use self::known_host::KnownHost;
use self::meaning::{Meaning, Options};
pub(crate) use self::search::{Found, HeadSearch};
pub(crate) use super::error::HeadError;
pub(crate) use super::framing::Framing;
pub(crate) use super::range::Range;

mod fields;
mod known_host;
mod meaning;
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
    known_host: KnownHost,
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

impl HeadLimits {
    /// So much of `bytes` as is looked at: what is beyond the limit is not, so that a head that is
    /// too large is told as that however its bytes arrive. Positions have 32 bits.
    #[inline(always)]
    fn visible<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len().min(self.max_head_size).min(u32::MAX as usize)]
    }
}

/// Whether a blank line begins `bytes`, or may yet.
#[cold]
fn begins_blank(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|byte| matches!(byte, b'\r' | b'\n'))
}

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

impl Head {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets the request, keeping the memory for the next one.
    pub(crate) fn clear(&mut self) {
        let mut fields = mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, known_host: self.known_host, ..Self::default() };
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
        if search.is_new() {
            match self.parse_front(bytes, limits) {
                Ok(end) => return Ok(Some(0..end as usize)),
                // Blank lines may come before a head, and half a line is not yet wrong.
                Err(Stop::Malformed(error)) if !begins_blank(bytes) => return Err(error),
                Err(_) => {}
            }
        }
        self.read_rest(search, bytes, limits)
    }

    /// As `read`, of a head that did not arrive at once.
    #[inline(never)]
    fn read_rest(
        &mut self,
        search: &mut HeadSearch,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<ops::Range<usize>>, HeadError> {
        let bytes = limits.visible(bytes);
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

    /// Parses `bytes`, less than 4 GiB: exactly one complete head, ending with the blank line.
    ///
    /// # Errors
    ///
    /// When the head is malformed, ambiguous, over a limit or of an unknown version. What is
    /// in `self` then means nothing.
    pub(crate) fn parse(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        match self.parse_front(bytes, limits) {
            Ok(end) if end as usize == bytes.len() => Ok(()),
            Ok(_) | Err(Stop::Incomplete) if bytes.len() > limits.max_head_size => {
                Err(HeadError::TooLarge)
            }
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
    #[inline(never)]
    fn parse_front(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<u32, Stop> {
        let bytes = limits.visible(bytes);
        let at = match self.parse_usual_request_line(bytes) {
            Some(at) => at,
            None => self.parse_request_line(bytes)?,
        };
        let mut meaning = Meaning::default();
        let end = self.parse_fields(bytes, at, limits.max_fields, &mut meaning)?;
        if self.target.len() > limits.max_target {
            return Err(HeadError::TargetTooLong.into());
        }
        self.conclude(&meaning)?;
        Ok(end)
    }

    /// Whether it is certain where the request ends. Under HTTP/1.0 a body needs a length, and a
    /// client that leaves it out would have its body read as the next request.
    pub(crate) fn has_end(&self) -> bool {
        self.version == Version::Http11
            || self.framing != Framing::None
            || matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Decides what all fields together mean.
    #[inline(always)]
    fn conclude(&mut self, meaning: &Meaning) -> Result<(), HeadError> {
        let http11 = self.version == Version::Http11;
        if http11 && !meaning.has_host {
            return Err(HeadError::HostMissing);
        }
        self.framing = Framing::None;
        self.keep_alive = http11;
        self.expect = Expect::None;
        self.upgrade = false;
        self.if_none_match = false;
        if meaning.options == Options::FRAMING {
            self.framing = meaning.framing.decide(self.version)?;
            return Ok(());
        }
        match meaning.options.is_empty() {
            true => Ok(()),
            false => self.conclude_options(meaning),
        }
    }

    /// As `conclude`, for all but `Host`.
    #[inline(never)]
    fn conclude_options(&mut self, meaning: &Meaning) -> Result<(), HeadError> {
        let http11 = self.version == Version::Http11;
        let has = |option| meaning.options.has(option);
        self.framing = meaning.framing.decide(self.version)?;
        self.keep_alive =
            !has(Options::CLOSE) && (http11 || has(Options::KEEP_ALIVE) && self.has_end());
        self.if_none_match = has(Options::IF_NONE_MATCH);
        self.upgrade = http11 && has(Options::UPGRADE) && has(Options::UPGRADE_FIELD);
        self.expect = match (meaning.expect, self.framing) {
            (Expect::Continue, Framing::None | Framing::Length(0)) => Expect::None,
            (expect, _) if http11 => expect,
            _ => Expect::None,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
