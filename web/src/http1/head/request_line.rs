//! The first line of a request: method, target, version.

use http::Method;

use super::super::scan::{self, PATH};
use super::{Head, HeadError, Range, Version};

/// What stands between the target and the fields of nearly every request.
const HTTP_11: &[u8] = b" HTTP/1.1\r\n";

impl Head {
    /// Takes in the request line that begins `bytes`, as it was parsed into `request`.
    ///
    /// # Errors
    ///
    /// When it allows more than one reading: a line end without CR, a fragment, a target in a
    /// form that does not suit the method. When it is another major version than 1.
    pub(super) fn take_in_request_line(
        &mut self,
        bytes: &[u8],
        request: &httparse::Request<'_, '_>,
    ) -> Result<(), HeadError> {
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(HeadError::RequestLine);
        };
        self.method = match method {
            "GET" => Method::GET,
            "POST" => Method::POST,
            other => Method::from_bytes(other.as_bytes()).map_err(|_| HeadError::RequestLine)?,
        };
        self.target = Range::within(bytes, target.as_bytes());
        let after_target = &bytes[self.target.end as usize..];
        self.version = match after_target.starts_with(HTTP_11) {
            true => Version::Http11,
            false => other_version(after_target)?,
        };
        self.split_target(target.as_bytes())?;
        if target.as_bytes()[0] != b'/' || self.method == Method::CONNECT {
            self.parse_other_target(bytes)?;
        }
        Ok(())
    }

    /// Finds the query in `target`.
    fn split_target(&mut self, target: &[u8]) -> Result<(), HeadError> {
        let after_path = scan::skip(target, PATH);
        let path_length = target.len() - after_path.len();
        self.path = self.target.part(0, path_length);
        self.authority = None;
        self.query = match after_path {
            [] => None,
            [b'?', query @ ..] if !query.contains(&b'#') => {
                Some(self.target.part(path_length + 1, target.len()))
            }
            // Clients keep fragments to themselves. One that arrives was put there to be read
            // two ways, as part of the target or not.
            _ => return Err(HeadError::Target),
        };
        Ok(())
    }
}

/// A version that is not 1.1, in what follows the target.
#[cold]
fn other_version(after_target: &[u8]) -> Result<Version, HeadError> {
    match after_target {
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', b'\r', b'\n', ..] => {
            Ok(Version::Http10)
        }
        _ => Err(HeadError::LineEnd),
    }
}

/// Where the minor version is, in the request line that begins `bytes`, if it is one from 2 to
/// 9 of HTTP/1.
///
/// # Errors
///
/// Why any other version is not served.
#[cold]
pub(super) fn later_minor_version(bytes: &[u8]) -> Result<usize, HeadError> {
    let version = bytes.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', ..] => {
            Ok(Range::within(bytes, version).start as usize + 7)
        }
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b'\r', b'\n', ..]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}
