//! The first line of a request: method, target, version.

use http::Method;

use super::super::scan::{self, TOKEN, chunk};
use super::{Head, HeadError, Range, Stop, Version};

impl Head {
    /// Parses the request line that begins `bytes`, if it is written as nearly all are: GET or POST,
    /// a path of nothing unusual, and HTTP/1.1. Returns where the next line begins. What it finds,
    /// [`parse_request_line`](Self::parse_request_line) finds as well.
    #[inline(always)]
    pub(super) fn parse_usual_request_line(&mut self, bytes: &[u8]) -> Option<u32> {
        let start = if bytes.starts_with(b"GET /") {
            if !matches!(self.method, Method::GET) {
                self.method = Method::GET;
            }
            4
        } else if bytes.starts_with(b"POST /") {
            self.method = Method::POST;
            5
        } else {
            return None;
        };
        let path_end = scan::unchecked_path_end(bytes, start + 1);
        let (query, end) = match chunk(bytes, path_end)? {
            b" " => (None, path_end),
            b"?" => {
                let end = scan::query_end(bytes, path_end + 1);
                (Some(Range { start: path_end + 1, end }), end)
            }
            _ => return None,
        };
        let version: &[u8; 11] = chunk(bytes, end)?;
        if version.first_chunk() != Some(b" HTTP/1.") || version.last_chunk() != Some(b".1\r\n") {
            return None;
        }
        self.target = Range { start, end };
        self.path = Range { start, end: path_end };
        self.query = query;
        self.authority = None;
        self.version = Version::Http11;
        Some(end + 11)
    }

    /// Parses the request line that begins `bytes`. Returns where the next line begins.
    ///
    /// # Errors
    ///
    /// When it allows more than one reading, however slightly: anything but one space between
    /// its parts, a method that is no token, a fragment, a target in a form that does not suit
    /// the method, small letters in `HTTP`, a line end without CR. When it is another major
    /// version than 1.
    #[inline(never)]
    pub(super) fn parse_request_line(&mut self, bytes: &[u8]) -> Result<u32, Stop> {
        let start = if bytes.starts_with(b"GET ") {
            if !matches!(self.method, Method::GET) {
                self.method = Method::GET;
            }
            4
        } else {
            self.parse_other_method(bytes)?
        };
        let path_end = scan::path_end(bytes, start);
        let (query, end) = match chunk(bytes, path_end) {
            Some([b'?']) => {
                let end = scan::query_end(bytes, path_end + 1);
                (Some(Range { start: path_end + 1, end }), end)
            }
            _ => (None, path_end),
        };
        self.target = Range { start, end };
        self.path = Range { start, end: path_end };
        self.query = query;
        self.authority = None;
        let line_end = if chunk(bytes, end) == Some(b" HTTP/1.1\r\n") {
            self.version = Version::Http11;
            end + 11
        } else {
            end + self.parse_other_version(bytes.get(end as usize..).unwrap_or_default())?
        };
        if chunk(bytes, start) != Some(b"/") || matches!(self.method, Method::CONNECT) {
            self.parse_other_target(bytes)?;
        }
        Ok(line_end)
    }

    /// Parses a method that is not GET. Returns where the target begins.
    #[inline(never)]
    fn parse_other_method(&mut self, bytes: &[u8]) -> Result<u32, Stop> {
        if bytes.starts_with(b"POST ") {
            self.method = Method::POST;
            return Ok(5);
        }
        let after_method = scan::skip(bytes, TOKEN);
        let method = &bytes[..bytes.len() - after_method.len()];
        match after_method {
            [] => Err(Stop::Incomplete),
            [b' ', ..] => {
                self.method = Method::from_bytes(method).map_err(|_| HeadError::RequestLine)?;
                Ok(method.len() as u32 + 1)
            }
            _ => Err(HeadError::RequestLine.into()),
        }
    }

    /// Parses what follows the target, if that is not HTTP/1.1. Returns how long it is, with
    /// the line end.
    #[inline(never)]
    fn parse_other_version(&mut self, after_target: &[u8]) -> Result<u32, Stop> {
        match after_target {
            [] => return Err(Stop::Incomplete),
            [b' ', ..] => {}
            // Clients keep fragments to themselves. One that arrives was put there to be read
            // two ways, as part of the target or not.
            [b'#', ..] => return Err(HeadError::Target.into()),
            _ => return Err(HeadError::RequestLine.into()),
        }
        // Half a version is no wrong one: what is answered must not depend on how it arrives.
        let end = after_target.iter().position(|&byte| byte == b'\n').ok_or(Stop::Incomplete)?;
        self.version = match &after_target[..=end] {
            b" HTTP/1.0\r\n" => Version::Http10,
            // A later one may be taken for 1.1 (RFC 9110 §2.5).
            [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9', b'\r', b'\n'] => {
                Version::Http11
            }
            [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor, end @ ..]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(wrong_version(end).into());
            }
            _ => return Err(HeadError::RequestLine.into()),
        };
        Ok(end as u32 + 1)
    }
}

/// What is wrong with a version that is not served, and perhaps only by its line end.
#[cold]
fn wrong_version(line_end: &[u8]) -> HeadError {
    match line_end {
        b"\r\n" => HeadError::Version,
        b"\n" => HeadError::LineEnd,
        _ => HeadError::RequestLine,
    }
}
