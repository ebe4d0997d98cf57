//! A reader of requests that is as simple as the standard allows, and knows no limits: what
//! Squall accepts, it must accept too, and read the same in it.

use super::BodyFraming;

/// What stands at the front of some bytes.
#[derive(Debug)]
pub enum Found<T> {
    Whole(T),
    Incomplete,
    Malformed,
}

#[derive(Debug)]
pub struct Head {
    pub method: String,
    pub target: Vec<u8>,
    pub http11: bool,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub framing: BodyFraming,
    /// With the blank lines before it.
    pub length: usize,
}

impl Head {
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.fields.iter();
        let named = named.filter(move |field| field.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|field| field.1.as_slice())
    }
}

#[derive(Debug)]
pub struct Body {
    pub data: Vec<u8>,
    /// With its framing.
    pub length: usize,
}

/// Reads the head at the front of `bytes`.
pub fn head(bytes: &[u8]) -> Found<Head> {
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let Some(end) = find(&bytes[start..], b"\r\n\r\n") else { return Found::Incomplete };
    match parse_head(&bytes[start..start + end], start + end + 4) {
        Some(head) => Found::Whole(head),
        None => Found::Malformed,
    }
}

fn parse_head(text: &[u8], length: usize) -> Option<Head> {
    let mut lines = lines(text).into_iter();
    let request_line = lines.next()?;
    let [method, target, version] = split(request_line, b' ').try_into().ok()?;
    let http11 = match version {
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => true,
        _ => return None,
    };
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return None;
    }
    if target.is_empty() || target.contains(&b'\t') {
        return None;
    }
    let fields = lines.map(field).collect::<Option<Vec<_>>>()?;
    let method = String::from_utf8(method.to_vec()).ok()?;
    let framing = BodyFraming::None;
    let mut head = Head { method, target: target.to_vec(), http11, fields, framing, length };
    let hosts = head.values("host").count();
    if hosts > 1 || http11 && hosts == 0 || has_control(text) {
        return None;
    }
    head.framing = framing_of(&head)?;
    Some(head)
}

/// Whether there are control bytes in it that are neither tabs nor parts of line ends.
fn has_control(text: &[u8]) -> bool {
    lines(text).concat().iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

fn framing_of(head: &Head) -> Option<BodyFraming> {
    let codings: Vec<&[u8]> = head.values("transfer-encoding").collect();
    let lengths: Vec<&[u8]> = head.values("content-length").collect();
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Some(BodyFraming::None),
        ([coding], []) if head.http11 && coding.eq_ignore_ascii_case(b"chunked") => {
            Some(BodyFraming::Chunked)
        }
        ([], lengths) => {
            let lengths = lengths.iter().flat_map(|list| split(list, b','));
            let lengths: Option<Vec<u64>> = lengths.map(|length| decimal(trim(length))).collect();
            let lengths = lengths?;
            let first = *lengths.first()?;
            lengths.iter().all(|length| *length == first).then_some(BodyFraming::Length(first))
        }
        _ => None,
    }
}

/// Reads the body at the front of `bytes`.
pub fn body(framing: BodyFraming, bytes: &[u8]) -> Found<Body> {
    match framing {
        BodyFraming::None => Found::Whole(Body { data: Vec::new(), length: 0 }),
        BodyFraming::Length(length) => match usize::try_from(length) {
            Ok(length) if length <= bytes.len() => {
                Found::Whole(Body { data: bytes[..length].to_vec(), length })
            }
            _ => Found::Incomplete,
        },
        BodyFraming::Chunked => chunks(bytes),
    }
}

fn chunks(bytes: &[u8]) -> Found<Body> {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else { return Found::Incomplete };
        let line = &bytes[at..at + end];
        let digits = split(line, b';')[0];
        if digits.is_empty() || digits.len() > 16 || has_control(line) {
            return Found::Malformed;
        }
        let Ok(digits) = str::from_utf8(digits) else { return Found::Malformed };
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Found::Malformed;
        }
        let Ok(size) = u64::from_str_radix(digits, 16) else { return Found::Malformed };
        at += end + 2;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let rest = &bytes[at..];
        if rest.len() < size {
            return Found::Incomplete;
        }
        data.extend_from_slice(&rest[..size]);
        match &rest[size..] {
            [b'\r', b'\n', ..] => at += size + 2,
            [] | [b'\r'] => return Found::Incomplete,
            _ => return Found::Malformed,
        }
    }
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else { return Found::Incomplete };
        let line = &bytes[at..at + end];
        at += end + 2;
        if line.is_empty() {
            return Found::Whole(Body { data, length: at });
        }
        if field(line).is_none() || has_control(line) {
            return Found::Malformed;
        }
    }
}

fn field(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_name = !name.is_empty() && name.iter().all(|&byte| is_token(byte));
    is_name.then(|| (name.to_vec(), trim(value).to_vec()))
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = find(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

pub fn split(bytes: &[u8], separator: u8) -> Vec<&[u8]> {
    bytes.split(|&byte| byte == separator).collect()
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

pub fn decimal(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a client has sent, as far as this reader can tell: each request with its body, if it
/// has come. The last may be no request, or not whole.
pub fn requests(bytes: &[u8]) -> Vec<(Option<Head>, Option<Body>)> {
    let mut requests = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Found::Whole(head) = head(&bytes[at..]) else {
            requests.push((None, None));
            break;
        };
        at += head.length;
        match body(head.framing, &bytes[at..]) {
            Found::Whole(body) => {
                at += body.length;
                requests.push((Some(head), Some(body)));
            }
            Found::Incomplete | Found::Malformed => {
                requests.push((Some(head), None));
                break;
            }
        }
    }
    requests
}
