//! The headers of a response, and which of them mean something to the server.

use http::{HeaderName, HeaderValue, header};

use super::field::has_token;

/// The headers of a response, in the order in which they are sent.
///
/// The list keeps track of the headers that mean something to the server. Most responses have none
/// of them, and need not be searched.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderList {
    lines: Vec<(HeaderName, HeaderValue)>,
    /// One bit for each role that some line has.
    roles: u8,
}

/// The meaning of a header to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum HeaderRole {
    Plain = 0,
    ContentType = 1,
    Date = 2,
    Server = 4,
    ETag = 8,
    ContentLength = 16,
    Connection = 32,
    TransferEncoding = 64,
}

impl HeaderRole {
    pub(crate) fn of(name: &HeaderName) -> Self {
        match *name {
            header::CONTENT_TYPE => Self::ContentType,
            header::DATE => Self::Date,
            header::SERVER => Self::Server,
            header::ETAG => Self::ETag,
            header::CONTENT_LENGTH => Self::ContentLength,
            header::CONNECTION => Self::Connection,
            header::TRANSFER_ENCODING => Self::TransferEncoding,
            _ => Self::Plain,
        }
    }

    /// Whether only the server may set the header. The value of the handler is not sent.
    pub(crate) fn is_governed(self) -> bool {
        matches!(self, Self::ContentLength | Self::Connection | Self::TransferEncoding)
    }
}

impl HeaderList {
    pub(crate) const fn new() -> Self {
        Self { lines: Vec::new(), roles: 0 }
    }

    /// Whether there is a header of `role`.
    pub(crate) fn has(&self, role: HeaderRole) -> bool {
        self.roles & role as u8 != 0
    }

    /// Whether no header means something to the server, except for a `Content-Type`.
    pub(crate) fn are_plain(&self) -> bool {
        self.roles & !(HeaderRole::ContentType as u8) == 0
    }

    /// Returns the first header called `name`, whose role is `role`. Usually one look at the roles
    /// shows that there is none.
    pub(crate) fn special(&self, role: HeaderRole, name: &HeaderName) -> Option<&HeaderValue> {
        if self.has(role) { self.first(name) } else { None }
    }

    /// Whether there is a header that only the server may set.
    pub(crate) fn has_governed(&self) -> bool {
        const GOVERNED: u8 = HeaderRole::ContentLength as u8
            | HeaderRole::Connection as u8
            | HeaderRole::TransferEncoding as u8;
        self.roles & GOVERNED != 0
    }

    pub(crate) fn first(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.lines.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Returns the first header called `name`, which may be in any case.
    pub(crate) fn first_called(&self, name: &str) -> Option<&HeaderValue> {
        let same = |other: &HeaderName| other.as_str().eq_ignore_ascii_case(name);
        self.lines.iter().find(|(other, _)| same(other)).map(|(_, value)| value)
    }

    pub(crate) fn add(&mut self, name: HeaderName, value: HeaderValue) {
        self.roles |= HeaderRole::of(&name) as u8;
        self.lines.push((name, value));
    }

    /// Replaces the first header of this name, and removes the others.
    #[inline]
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        let role = HeaderRole::of(&name);
        if self.lines.is_empty() || role != HeaderRole::Plain && !self.has(role) {
            self.roles |= role as u8;
            self.lines.push((name, value));
        } else {
            self.set_again(name, value);
        }
    }

    fn set_again(&mut self, name: HeaderName, value: HeaderValue) {
        match self.lines.iter().position(|(other, _)| *other == name) {
            Some(first) => self.replace(first, &name, value),
            None => self.add(name, value),
        }
    }

    fn replace(&mut self, first: usize, name: &HeaderName, value: HeaderValue) {
        self.lines[first].1 = value;
        let mut index = 0;
        self.lines.retain(|(other, _)| {
            index += 1;
            index - 1 <= first || other != name
        });
    }

    /// Leaves out the header of `role` that the server would add.
    pub(crate) fn leave_out(&mut self, role: HeaderRole) {
        self.roles |= role as u8;
    }

    /// Removes all headers called `name`, which may be in any case.
    pub(crate) fn remove(&mut self, name: &str) {
        let left_out = self.roles & !self.roles_of_lines();
        self.lines.retain(|(other, _)| !other.as_str().eq_ignore_ascii_case(name));
        self.roles = left_out | self.roles_of_lines();
    }

    fn roles_of_lines(&self) -> u8 {
        self.lines.iter().fold(0, |roles, (name, _)| roles | HeaderRole::of(name) as u8)
    }

    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.roles = 0;
    }

    pub(crate) fn lines(&self) -> &[(HeaderName, HeaderValue)] {
        &self.lines
    }

    /// Whether the handler has asked for `Connection: close`.
    pub(crate) fn asks_to_close(&self) -> bool {
        self.has(HeaderRole::Connection)
            && self
                .lines
                .iter()
                .filter(|(name, _)| name == header::CONNECTION)
                .any(|(_, value)| has_token(value.as_bytes(), "close"))
    }
}

impl<'a> Extend<&'a (HeaderName, HeaderValue)> for HeaderList {
    fn extend<T: IntoIterator<Item = &'a (HeaderName, HeaderValue)>>(&mut self, lines: T) {
        lines.into_iter().cloned().for_each(|(name, value)| self.add(name, value));
    }
}
