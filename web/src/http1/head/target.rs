//! The forms of a request target that are not a path (RFC 9112 §3.2).

use http::Method;

use super::super::host::{is_authority, is_authority_with_port};
use super::{Head, HeadError};

impl Head {
    /// Understands a target that does not begin with `/`, or belongs to CONNECT. So far its
    /// path is all of it up to the query.
    ///
    /// # Errors
    ///
    /// [`HeadError::Target`] for a target in none of the forms, or in one that the method may
    /// not have; [`HeadError::Host`] if the authority in it is not a host and a port.
    #[cold]
    pub(super) fn parse_other_target(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let target = self.target.of(bytes);
        match self.method {
            // `host:port`, which only CONNECT has.
            Method::CONNECT if is_authority_with_port(target) => {
                self.authority = Some(self.target);
                Ok(())
            }
            Method::CONNECT => Err(HeadError::Target),
            _ if target.is_empty() => Err(HeadError::RequestLine),
            Method::OPTIONS if target == b"*" => Ok(()),
            _ => self.parse_absolute_target(bytes),
        }
    }

    /// `http://host:port/path?query`, which proxies are sent and servers must take as well.
    fn parse_absolute_target(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let text = self.path.of(bytes);
        let after = |scheme: &[u8]| {
            let is = text.get(..scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme));
            is.then_some(scheme.len())
        };
        let start = after(b"http://").or_else(|| after(b"https://")).ok_or(HeadError::Target)?;
        let slash = text[start..].iter().position(|&byte| byte == b'/');
        let end = slash.map_or(text.len(), |at| start + at);
        if !is_authority(&text[start..end]) {
            return Err(HeadError::Host);
        }
        self.authority = Some(self.path.part(start, end));
        self.path = match slash {
            Some(_) => self.path.part(end, text.len()),
            // An empty path means "/", and the one before the authority will do.
            None => self.path.part(start - 1, start),
        };
        Ok(())
    }
}
