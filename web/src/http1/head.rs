//! Bytes → request head.

use std::mem::MaybeUninit;
use std::ops;

use http::Method;
use httparse::Status;

pub(crate) use super::error::HeadError;
use super::field::{elements, is_name};
pub(crate) use super::framing::Framing;
use super::framing::FramingFields;
use super::host::is_authority;
pub(crate) use super::range::Range;
pub(crate) use super::search::{Found, HeadSearch};
use super::target;
pub(crate) use super::version::Version;
use super::version::minor_of_unknown;

/// As many fields fit on the stack while a head is parsed; more are put on the heap. Browsers
/// send about 20.
const COMMON_FIELDS: usize = 64;

/// The shortest field there is: `a:` and the line end.
const SHORTEST_FIELD: usize = 4;

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
    /// The authority in an absolute target, else the value of `Host`, which may be empty.
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
}

/// One field line.
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
    /// The whole head, with blank lines before it and the one that ends it (431).
    pub(crate) max_head_size: usize,
    /// The number of fields (431).
    pub(crate) max_fields: usize,
    /// The target alone (414).
    pub(crate) max_target: usize,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets the request, keeping the memory for the next one.
    pub(crate) fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
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
        // What is beyond the limit is not looked at, so that a head that is too large is told
        // as that however its bytes arrive.
        let bytes = &bytes[..bytes.len().min(limits.max_head_size)];
        let arrived_at_once = search.is_new() && bytes.first().is_some_and(u8::is_ascii_uppercase);
        if arrived_at_once && let Some(end) = self.parse_front(bytes, limits)? {
            return Ok(Some(0..end));
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
        match self.parse_front(bytes, limits)? {
            Some(end) if end == bytes.len() => Ok(()),
            // Lines that end in LF alone made the parser see an end that is none.
            _ => Err(HeadError::LineEnd),
        }
    }

    /// The first value of the fields called `name`.
    pub(crate) fn field<'b>(&self, bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.fields(bytes, name).next()
    }

    /// The values of all fields called `name`, in order.
    pub(crate) fn fields<'b>(&self, bytes: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        let matches = |field: &&Field| {
            let length = (field.name.end - field.name.start) as usize;
            length == name.len() && field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().filter(matches).map(|field| field.value.of(bytes))
    }

    /// Parses the head at the front of `bytes` and returns its length, or `None` if it is not
    /// complete.
    fn parse_front(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        let mut fields = [const { MaybeUninit::uninit() }; COMMON_FIELDS];
        let room = limits.max_fields.min(COMMON_FIELDS);
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut fields[..room]) {
            Ok(Status::Complete(end)) => {
                self.take_in(&bytes[..end], &request, limits).map(|()| Some(end))
            }
            Ok(Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) if limits.max_fields > room => {
                self.parse_many_fields(bytes, limits)
            }
            Err(httparse::Error::Version) => match minor_of_unknown(&request, bytes)? {
                Some(minor) => self.parse_as_http11(bytes, minor, limits),
                None => Ok(None),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Parses a head with more fields than are common.
    #[cold]
    fn parse_many_fields(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        let room = limits.max_fields.min(bytes.len() / SHORTEST_FIELD);
        let mut fields = vec![httparse::EMPTY_HEADER; room];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(bytes)? {
            Status::Complete(end) => {
                self.take_in(&bytes[..end], &request, limits).map(|()| Some(end))
            }
            Status::Partial => Ok(None),
        }
    }

    /// Parses a head of HTTP/1.2 or later, which is all the same to us but not to httparse.
    /// `minor` is where the minor version stands.
    #[cold]
    fn parse_as_http11(
        &mut self,
        bytes: &[u8],
        minor: usize,
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        let Found::Head { start: 0, end } = HeadSearch::default().find(bytes) else {
            return Ok(None);
        };
        let mut copy = bytes[..end].to_vec();
        copy[minor] = b'1';
        // The ranges are the same in the copy and in the original.
        self.parse_front(&copy, limits)
    }

    /// Takes in what httparse found in `bytes`, exactly one head, and checks what it does not.
    fn take_in(
        &mut self,
        bytes: &[u8],
        request: &httparse::Request<'_, '_>,
        limits: &HeadLimits,
    ) -> Result<(), HeadError> {
        if bytes.len() > limits.max_head_size.min(u32::MAX as usize) {
            return Err(HeadError::TooLarge);
        }
        // It reads LF alone as a line end, also as the blank line.
        if !bytes.ends_with(b"\r\n\r\n") {
            return Err(HeadError::LineEnd);
        }
        let (Some(method), Some(target), Some(version)) =
            (request.method, request.path, request.version)
        else {
            return Err(HeadError::RequestLine);
        };
        if target.len() > limits.max_target {
            return Err(HeadError::TargetTooLong);
        }
        self.method = Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::RequestLine)?;
        self.version = if version == 0 { Version::Http10 } else { Version::Http11 };

        let meaning = self.take_in_fields(bytes, request.headers)?;
        self.target = Range::within(bytes, target.as_bytes());
        let target = target::split(bytes, self.target, &self.method)?;
        self.path = target.path;
        self.query = target.query;
        self.authority = target.authority.or(meaning.host);
        self.conclude(&meaning)
    }

    /// Takes in the fields; returns what those say that mean something to the connection.
    fn take_in_fields(
        &mut self,
        bytes: &[u8],
        fields: &[httparse::Header<'_>],
    ) -> Result<Meaning, HeadError> {
        let mut meaning = Meaning::default();
        self.fields.clear();
        self.fields.reserve(fields.len());
        for field in fields {
            let name = Range::within(bytes, field.name.as_bytes());
            let value = Range::within(bytes, field.value);
            // Each name begins a line, so this is the end of the line before it.
            if bytes[name.start as usize - 2] != b'\r' {
                return Err(HeadError::LineEnd);
            }
            self.fields.push(Field { name, value });
            meaning.take_in(field.name.as_bytes(), field.value, value)?;
        }
        Ok(meaning)
    }

    /// Decides what all fields together mean.
    fn conclude(&mut self, meaning: &Meaning) -> Result<(), HeadError> {
        let http11 = self.version == Version::Http11;
        if http11 && meaning.host.is_none() {
            return Err(HeadError::HostMissing);
        }
        self.framing = meaning.framing.decide(self.version)?;
        self.keep_alive = !meaning.close && (http11 || meaning.keep_alive);
        self.upgrade = http11 && meaning.upgrade_option && meaning.upgrade_field;
        self.expect = match (meaning.expect, self.framing) {
            (Expect::Continue, Framing::None | Framing::Length(0)) => Expect::None,
            (expect, _) if http11 => expect,
            _ => Expect::None,
        };
        Ok(())
    }
}

/// What the fields seen so far mean for the connection.
#[derive(Debug, Default)]
struct Meaning {
    host: Option<Range>,
    framing: FramingFields,
    expect: Expect,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade_field: bool,
}

impl Meaning {
    /// Takes in one field. The length of the name tells most fields apart from the few that
    /// matter.
    fn take_in(&mut self, name: &[u8], value: &[u8], range: Range) -> Result<(), HeadError> {
        match name.len() {
            4 if is_name(name, b"host") => self.host(value, range)?,
            6 if is_name(name, b"expect") => self.expect(value),
            7 if is_name(name, b"upgrade") => self.upgrade_field = true,
            10 if is_name(name, b"connection") => self.connection(value),
            14 if is_name(name, b"content-length") => self.framing.content_length(value)?,
            17 if is_name(name, b"transfer-encoding") => self.framing.transfer_encoding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, value: &[u8], range: Range) -> Result<(), HeadError> {
        if !value.is_empty() && !is_authority(value) {
            return Err(HeadError::Host);
        }
        match self.host.replace(range) {
            Some(_) => Err(HeadError::HostRepeated),
            None => Ok(()),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            match option.len() {
                5 => self.close |= option.eq_ignore_ascii_case(b"close"),
                7 => self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade"),
                10 => self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive"),
                _ => {}
            }
        }
    }

    fn expect(&mut self, value: &[u8]) {
        for expectation in elements(value).filter(|expectation| !expectation.is_empty()) {
            self.expect = match self.expect {
                Expect::Unknown => Expect::Unknown,
                _ if expectation.eq_ignore_ascii_case(b"100-continue") => Expect::Continue,
                _ => Expect::Unknown,
            };
        }
    }
}
