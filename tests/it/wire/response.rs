use std::str;

/// A complete response as it arrived. Equality ignores the value of `Date`.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// The reason phrase behind the status.
    pub reason: String,
    /// In the order and the spelling in which they came.
    pub headers: Vec<(String, String)>,
    /// Without the framing.
    pub body: Vec<u8>,
    /// All of it, as text. Of `Date` only the name is left.
    pub raw: String,
}

impl PartialEq for Response {
    fn eq(&self, other: &Self) -> bool {
        (self.status, &self.reason, &self.body, &self.raw)
            == (other.status, &other.reason, &other.body, &other.raw)
            && self.undated_headers() == other.undated_headers()
    }
}

impl Response {
    /// The value of the header `name`, if there is one.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_values(name);
        assert!(values.len() <= 1, "there are several headers {name}: {values:?}");
        values.first().copied()
    }

    /// The values of all headers called `name`.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let matches = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(matches).map(|(_, value)| value.as_str()).collect()
    }

    /// The headers without the one that may be another a moment later.
    pub fn undated_headers(&self) -> Vec<(String, String)> {
        self.headers.iter().filter(|(name, _)| name != "Date").cloned().collect()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is UTF-8")
    }
}

/// Splits all that came on a connection into its responses. None of them may be to `HEAD`.
#[track_caller]
pub fn split(mut bytes: &[u8]) -> Vec<Response> {
    let mut responses = Vec::new();
    while !bytes.is_empty() {
        let shown = String::from_utf8_lossy(bytes);
        let (response, length) =
            parse(bytes, false, true).unwrap_or_else(|| panic!("cut short: {shown:?}"));
        responses.push(response);
        bytes = &bytes[length..];
    }
    responses
}

/// The text that arrived on a connection, without dates.
pub fn normal(bytes: &[u8]) -> String {
    const DATE: &str = "\r\nDate: ";
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split(DATE);
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        normal.push_str("\r\nDate:");
        normal.push_str(&part[part.find("\r\n").unwrap_or(0)..]);
    }
    normal
}

/// Reads the response at the front of `bytes`, which must be one. Returns it with its length,
/// or `None` if it is not there to its end. `ended`: nothing follows `bytes`.
#[track_caller]
pub(super) fn parse(bytes: &[u8], to_head: bool, ended: bool) -> Option<(Response, usize)> {
    let blank = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..blank]).expect("a head is UTF-8");
    assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "lines end in CR LF: {head:?}");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let (status, reason) = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.split_once(' '))
        .unwrap_or_else(|| panic!("no status line: {head:?}"));
    let headers: Vec<_> = lines.map(parse_header).collect();
    let mut response = Response {
        status: status.parse().expect("a status is a number"),
        reason: reason.to_owned(),
        headers,
        body: Vec::new(),
        raw: String::new(),
    };
    let start = blank + 4;
    let length = start + response.take_body(&bytes[start..], to_head, ended)?;
    response.raw = normal(&bytes[..length]);
    Some((response, length))
}

#[track_caller]
fn parse_header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
    (name.to_owned(), value.to_owned())
}

impl Response {
    /// Reads the body at the front of `bytes`, and returns its length with the framing.
    #[track_caller]
    fn take_body(&mut self, bytes: &[u8], to_head: bool, ended: bool) -> Option<usize> {
        let length = self.header("content-length").map(|text| text.parse::<usize>().unwrap());
        let chunked = self.header("transfer-encoding").is_some_and(|coding| coding == "chunked");
        assert!(length.is_none() || !chunked, "framed twice: {self:?}");
        let bodiless = self.status < 200 || self.status == 204 || self.status == 304;
        match length {
            _ if bodiless => {
                assert!(length.is_none() && !chunked, "there is no body to frame: {self:?}");
                Some(0)
            }
            _ if to_head => Some(0),
            Some(length) => {
                self.body = bytes.get(..length)?.to_vec();
                Some(length)
            }
            None if chunked => self.take_chunks(bytes),
            None if ended => {
                self.body = bytes.to_vec();
                Some(bytes.len())
            }
            None => None,
        }
    }

    #[track_caller]
    fn take_chunks(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let line = bytes[at..].windows(2).position(|part| part == b"\r\n")?;
            let digits = str::from_utf8(&bytes[at..at + line]).expect("a chunk size is text");
            let size = usize::from_str_radix(digits, 16).expect("a chunk size is a number");
            at += line + 2;
            if size == 0 {
                // Trailers are left to tests that read the bytes themselves.
                let end = bytes[at - 2..].windows(4).position(|part| part == b"\r\n\r\n")?;
                return Some(at + end + 2);
            }
            self.body.extend_from_slice(bytes.get(at..at + size)?);
            assert_eq!(bytes.get(at + size..at + size + 2)?, b"\r\n", "a chunk ends in CR LF");
            at += size + 2;
        }
    }
}
