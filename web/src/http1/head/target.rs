//! The four forms of a request target (RFC 9112 §3.2).

use http::Method;
use memchr::memchr;

use super::super::host::{is_authority, is_authority_with_port};
use super::{Head, HeadError};

impl Head {
    /// Finds the path, the query and the authority in the target.
    ///
    /// # Errors
    ///
    /// - [`HeadError::Target`] if the target has a fragment, none of the four forms, or a form that
    ///   is invalid for the method;
    /// - [`HeadError::Host`] if the authority in it is not a host and a port.
    pub(super) fn interpret_target(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let target = self.target.of(bytes);
        let ends_path = |byte: &u8| matches!(byte, b'?' | b'#');
        let path_end = target.iter().position(ends_path).unwrap_or(target.len());
        // A client does not send fragments. A target with one could be understood in two ways: with
        // the fragment or without it.
        self.query = match &target[path_end..] {
            [] => None,
            [b'?', query @ ..] if memchr(b'#', query).is_none() => {
                Some(self.target.part(path_end + 1, target.len()))
            }
            _ => return Err(HeadError::Target),
        };
        self.path = self.target.part(0, path_end);
        self.authority = None;
        match self.method {
            // `host:port`, which only CONNECT has.
            Method::CONNECT if is_authority_with_port(target) => self.authority = Some(self.target),
            Method::CONNECT => return Err(HeadError::Target),
            _ if target.starts_with(b"/") => {}
            Method::OPTIONS if target == b"*" => {}
            _ => self.interpret_absolute_target(bytes)?,
        }
        Ok(())
    }

    /// Finds the authority and the path in `http://host:port/path?query`. Clients send this form to
    /// proxies, and servers must accept it as well.
    fn interpret_absolute_target(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let text = self.path.of(bytes);
        let after = |scheme: &[u8]| {
            let is = text.get(..scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme));
            is.then_some(scheme.len())
        };
        let start = after(b"http://").or_else(|| after(b"https://")).ok_or(HeadError::Target)?;
        let slash = memchr(b'/', &text[start..]);
        let end = slash.map_or(text.len(), |at| start + at);
        if !is_authority(&text[start..end]) {
            return Err(HeadError::Host);
        }
        self.authority = Some(self.path.part(start, end));
        self.path = match slash {
            Some(_) => self.path.part(end, text.len()),
            // An empty path means "/". Use the slash before the authority.
            None => self.path.part(start - 1, start),
        };
        Ok(())
    }
}
