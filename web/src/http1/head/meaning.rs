//! Decides what a head means for the connection, and refuses heads for their meaning.

use http::Method;
use httparse::Header;

use super::super::field::elements;
use super::super::framing::FramingFields;
use super::super::host::is_authority;
use super::{Expect, Field, Framing, Head, HeadError, HeadLimits, Range, Version};

/// The fields of a head that matter to the connection.
#[derive(Debug, Default)]
struct Meaning {
    host: Option<Range>,
    framing: FramingFields,
    expect: Expect,
    /// `Connection: close`.
    close: bool,
    /// `Connection: keep-alive`.
    keep_alive: bool,
    /// `Connection: upgrade`.
    upgrade: bool,
    /// Whether there is an `Upgrade` field.
    has_upgrade: bool,
    /// Whether there is an `If-None-Match` field.
    has_if_none_match: bool,
}

impl Head {
    /// Interprets the method and the target, which are slices of `bytes`.
    ///
    /// # Errors
    ///
    /// Returns an error if the target is too long, or if its form is invalid for the method.
    pub(super) fn interpret_request_line(
        &mut self,
        bytes: &[u8],
        method: &str,
        target: &[u8],
        limits: &HeadLimits,
    ) -> Result<(), HeadError> {
        self.method = match method {
            "GET" => Method::GET,
            "POST" => Method::POST,
            _ => Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::RequestLine)?,
        };
        self.target = Range::within(bytes, target);
        match target.len() <= limits.max_target {
            true => self.interpret_target(bytes),
            false => Err(HeadError::TargetTooLong),
        }
    }

    /// Interprets the fields. `head` has all bytes of a head whose request line has been
    /// interpreted.
    ///
    /// # Errors
    ///
    /// Returns an error if a line ends in LF alone, which `httparse` accepts, or if the meaning of
    /// a field is invalid.
    pub(super) fn interpret_fields(
        &mut self,
        head: &[u8],
        headers: &[Header<'_>],
    ) -> Result<(), HeadError> {
        let mut meaning = Meaning::default();
        let mut lines_end_in_crlf = head.ends_with(b"\r\n\r\n");
        self.fields.clear();
        for header in headers {
            let name = Range::within(head, header.name.as_bytes());
            let value = Range::within(head, header.value);
            lines_end_in_crlf &= head[..name.start as usize].ends_with(b"\r\n");
            self.fields.push(Field { name, value });
            meaning.add(header, value)?;
        }
        match lines_end_in_crlf {
            true => self.conclude(&meaning),
            false => Err(HeadError::LineEnd),
        }
    }

    /// Combines the meaning of all parts.
    fn conclude(&mut self, meaning: &Meaning) -> Result<(), HeadError> {
        let http11 = self.version == Version::Http11;
        if http11 && meaning.host.is_none() {
            return Err(HeadError::HostMissing);
        }
        self.authority = self.authority.or(meaning.host);
        self.framing = meaning.framing.decide(self.version)?;
        self.keep_alive = !meaning.close && (http11 || meaning.keep_alive && self.has_end());
        self.upgrade = http11 && meaning.upgrade && meaning.has_upgrade;
        self.if_none_match = meaning.has_if_none_match;
        self.expect = match (meaning.expect, self.framing) {
            (Expect::Continue, Framing::None | Framing::Length(0)) => Expect::None,
            (expect, _) if http11 => expect,
            _ => Expect::None,
        };
        Ok(())
    }
}

impl Meaning {
    /// Adds one field, whose value is at `value`.
    fn add(&mut self, header: &Header<'_>, value: Range) -> Result<(), HeadError> {
        let name = header.name.as_bytes();
        match name.len() {
            4 if is_name(name, b"host") => self.host(header.value, value)?,
            6 if is_name(name, b"expect") => self.expect(header.value),
            7 if is_name(name, b"upgrade") => self.has_upgrade = true,
            10 if is_name(name, b"connection") => self.connection(header.value),
            13 if is_name(name, b"if-none-match") => self.has_if_none_match = true,
            14 if is_name(name, b"content-length") => self.framing.content_length(header.value)?,
            17 if is_name(name, b"transfer-encoding") => {
                self.framing.transfer_encoding(header.value)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, host: &[u8], place: Range) -> Result<(), HeadError> {
        if !host.is_empty() && !is_authority(host) {
            return Err(HeadError::Host);
        }
        match self.host.replace(place) {
            Some(_) => Err(HeadError::HostRepeated),
            None => Ok(()),
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

    fn connection(&mut self, value: &[u8]) {
        for option in elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// Whether the token `name` equals `lower`, which consists of letters and hyphens, in any case.
///
/// Setting bit 5 turns capitals into small letters. It turns no other byte of a token into a letter
/// or a hyphen. The compiler can then compare words, which it does not for `eq_ignore_ascii_case`.
fn is_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name).is_ok_and(|name| name.map(|byte| byte | 0x20) == *lower)
}
