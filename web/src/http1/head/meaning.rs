//! What the fields of a head mean for the connection.

use super::super::field::{elements, is_name};
use super::super::framing::FramingFields;
use super::super::host::is_authority;
use super::{Expect, Field, HeadError, Range};

/// What the fields of a head mean for the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meaning {
    /// Whether there was a `Host`.
    pub(super) has_host: bool,
    pub(super) options: Options,
    pub(super) framing: FramingFields,
    pub(super) expect: Expect,
}

/// What was found in the fields, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options(u8);

impl Options {
    pub(super) const CLOSE: Self = Self(1);
    pub(super) const KEEP_ALIVE: Self = Self(1 << 1);
    pub(super) const UPGRADE: Self = Self(1 << 2);
    pub(super) const UPGRADE_FIELD: Self = Self(1 << 3);
    pub(super) const IF_NONE_MATCH: Self = Self(1 << 4);
    pub(super) const EXPECT: Self = Self(1 << 5);
    pub(super) const FRAMING: Self = Self(1 << 6);

    pub(super) fn has(self, option: Self) -> bool {
        self.0 & option.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn add(&mut self, option: Self) {
        self.0 |= option.0;
    }
}

impl Meaning {
    /// Whether the field called `name` may be one of those that matter. Of other names only a
    /// few that nobody sends pass.
    #[inline(always)]
    pub(super) fn may_depend_on(bytes: &[u8], name: Range) -> bool {
        match bytes.get(name.start as usize) {
            Some(&first) if name.len() < 32 => MATTERING >> key(first, name.len()) & 1 != 0,
            _ => false,
        }
    }

    /// Takes in one field, if it is one of those that matter. `Host` is the `authority`, unless the
    /// target has said another.
    #[inline(never)]
    pub(super) fn take_in(
        &mut self,
        bytes: &[u8],
        field: Field,
        authority: &mut Option<Range>,
    ) -> Result<(), HeadError> {
        let (name, value) = (field.name.of(bytes), field.value.of(bytes));
        let option = match name.len() {
            4 if is_name(name, b"host") => {
                authority.get_or_insert(field.value);
                return self.host(value);
            }
            6 if is_name(name, b"expect") => {
                self.expect(value);
                Options::EXPECT
            }
            7 if is_name(name, b"upgrade") => Options::UPGRADE_FIELD,
            10 if is_name(name, b"connection") => connection_options(value),
            13 if is_name(name, b"if-none-match") => Options::IF_NONE_MATCH,
            14 if is_name(name, b"content-length") => {
                self.framing.content_length(value)?;
                Options::FRAMING
            }
            17 if is_name(name, b"transfer-encoding") => {
                self.framing.transfer_encoding(value)?;
                Options::FRAMING
            }
            _ => return Ok(()),
        };
        self.options.add(option);
        Ok(())
    }

    fn host(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if !value.is_empty() && !is_authority(value) {
            return Err(HeadError::Host);
        }
        match std::mem::replace(&mut self.has_host, true) {
            true => Err(HeadError::HostRepeated),
            false => Ok(()),
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

/// A sum of few bits by which the names that matter can be told from nearly all others: the
/// length, and the first letter in either case.
const fn key(first: u8, length: usize) -> usize {
    length + (first & 0x1f) as usize
}

/// A bit for the key of each name that matters.
const MATTERING: u64 = 1 << key(b'h', "host".len())
    | 1 << key(b'e', "expect".len())
    | 1 << key(b'u', "upgrade".len())
    | 1 << key(b'c', "connection".len())
    | 1 << key(b'i', "if-none-match".len())
    | 1 << key(b'c', "content-length".len())
    | 1 << key(b't', "transfer-encoding".len());

/// What `Connection` says.
fn connection_options(value: &[u8]) -> Options {
    if is_name(value, b"keep-alive") {
        return Options::KEEP_ALIVE;
    }
    let mut options = Options::default();
    for option in elements(value) {
        match option.len() {
            5 if option.eq_ignore_ascii_case(b"close") => options.add(Options::CLOSE),
            7 if option.eq_ignore_ascii_case(b"upgrade") => options.add(Options::UPGRADE),
            10 if option.eq_ignore_ascii_case(b"keep-alive") => options.add(Options::KEEP_ALIVE),
            _ => {}
        }
    }
    options
}
