//! The first line of a request: method, target, version.

use http::Method;

use super::super::scan::{self, PATH, TOKEN};
use super::{Head, HeadError, Range, Stop, Version};

impl Head {
    /// Parses the request line that begins `bytes`. Returns what follows it.
    ///
    /// # Errors
    ///
    /// When it is malformed, however little more than one reading it allows: one space between
    /// its parts, a method that is a token, a target in one of the four forms that suits the
    /// method, capitals in `HTTP`.
    #[inline(never)]
    pub(super) fn parse_request_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Stop> {
        let position = |slice: &[u8]| bytes.len() - slice.len();
        let text = if let Some(text) = bytes.strip_prefix(b"GET ") {
            self.method = Method::GET;
            text
        } else if let Some(text) = bytes.strip_prefix(b"POST ") {
            self.method = Method::POST;
            text
        } else {
            self.parse_any_method(bytes)?
        };

        let after_path = scan::skip(text, PATH);
        let (query, rest) = match after_path {
            [b' ', rest @ ..] => (None, rest),
            [b'?', query @ ..] => {
                let rest = after_query(query)?;
                (Some(Range::new(position(query), position(rest) - 1)), rest)
            }
            [byte, ..] => return Err(no_target(*byte)),
            [] => return Err(Stop::Incomplete),
        };
        self.target = Range::new(position(text), position(rest) - 1);
        self.path = Range::new(position(text), position(after_path));
        self.query = query;
        self.authority = None;

        let rest = if let Some(rest) = rest.strip_prefix(b"HTTP/1.1\r\n") {
            self.version = Version::Http11;
            rest
        } else {
            self.parse_any_version(rest)?
        };
        if text[0] != b'/' || self.method == Method::CONNECT {
            self.parse_other_target(bytes)?;
        }
        Ok(rest)
    }

    /// Parses the method that begins `bytes`. Returns what follows the space after it.
    #[inline(never)]
    fn parse_any_method<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Stop> {
        let after_method = scan::skip(bytes, TOKEN);
        let method = &bytes[..bytes.len() - after_method.len()];
        match after_method {
            [] => Err(Stop::Incomplete),
            _ if method.is_empty() => Err(HeadError::NotHttp.into()),
            [b' ', rest @ ..] => {
                self.method = Method::from_bytes(method).map_err(|_| HeadError::RequestLine)?;
                Ok(rest)
            }
            _ => Err(HeadError::RequestLine.into()),
        }
    }

    /// Parses the version that begins `bytes`. Returns what follows its line end.
    #[inline(never)]
    fn parse_any_version<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Stop> {
        let belongs = |(index, &byte): (usize, &u8)| match index {
            5 | 7 => byte.is_ascii_digit(),
            _ => byte == b"HTTP/d.d\r\n"[index],
        };
        let so_far = &bytes[..bytes.len().min(10)];
        match so_far.iter().enumerate().position(|byte| !belongs(byte)) {
            None => {}
            Some(8) if so_far[8] == b'\n' => return Err(HeadError::LineEnd.into()),
            Some(_) => return Err(HeadError::RequestLine.into()),
        }
        let Some((line_end, rest)) = bytes.split_first_chunk::<10>() else {
            return Err(Stop::Incomplete);
        };
        self.version = match (line_end[5], line_end[7]) {
            (b'1', b'0') => Version::Http10,
            (b'1', _) => Version::Http11,
            _ => return Err(HeadError::Version.into()),
        };
        Ok(rest)
    }
}

/// What follows the space after `query`, which may hold question marks.
#[inline(never)]
fn after_query(query: &[u8]) -> Result<&[u8], Stop> {
    let mut rest = query;
    loop {
        match scan::skip(rest, PATH) {
            [b' ', rest @ ..] => return Ok(rest),
            [b'?', tail @ ..] => rest = tail,
            [byte, ..] => return Err(no_target(*byte)),
            [] => return Err(Stop::Incomplete),
        }
    }
}

/// What is wrong with a target that holds `byte`.
#[cold]
fn no_target(byte: u8) -> Stop {
    Stop::Malformed(match byte {
        // Clients keep fragments to themselves. One that arrives was put there to be read two
        // ways, as part of the target or not.
        b'#' => HeadError::Target,
        _ => HeadError::RequestLine,
    })
}
