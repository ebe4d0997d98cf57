//! A reader of responses that trusts nothing: what it cannot read is a bug of the server.

use std::fmt;

use squall::fuzzing::BodyFraming;

use crate::server::Received;
use crate::simple::{Body, Found, body, decimal, find, is_token, split, trim};

/// A response.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Without `Date`, and with what frames the body only if the framing was not by chunks.
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Whether the body came to its end. Only the last of a connection may not have.
    pub whole: bool,
    pub closes: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, fields, body, whole, closes } = self;
        write!(f, "{status} whole: {whole}, closes: {closes}, body: {:?}", show(body))?;
        fields.iter().try_for_each(|(name, value)| write!(f, ", {name}: {:?}", show(value)))
    }
}

impl Answer {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.0.eq_ignore_ascii_case(name))?;
        Some(&field.1)
    }
}

/// Takes all that a server has sent apart. `methods` are those of the requests, in order.
///
/// # Panics
///
/// If the bytes are not responses.
pub fn read(received: &Received, methods: &[&str]) -> Vec<Answer> {
    let Received { bytes, reset } = received;
    let mut answers: Vec<Answer> = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        if *reset && find(rest, b"\r\n\r\n").is_none() {
            break;
        }
        assert!(answers.last().is_none_or(|last| !last.closes), "after the end: {}", show(bytes));
        let (answer, length) = head(rest).unwrap_or_else(|| panic!("no response: {}", show(rest)));
        rest = &rest[length..];
        if answer.status < 200 {
            assert!(answer.status == 100 || answer.status == 103, "{}", show(bytes));
            continue;
        }
        let method = methods.get(answers.len()).copied().unwrap_or("GET");
        let (answer, length) = with_body(answer, rest, method);
        rest = &rest[length..];
        answers.push(answer);
    }
    if let Some(last) = answers.last_mut() {
        last.whole &= !reset;
    }
    answers
}

fn head(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = find(bytes, b"\r\n\r\n")?;
    let text = str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?;
    let (status, reason) = status.split_once(' ')?;
    let status: u16 = status.parse().ok().filter(|status| (100..600).contains(status))?;
    let is_text = |text: &str| !text.chars().any(|c| c.is_ascii_control() && c != '\t');
    if reason.is_empty() || !is_text(reason) {
        return None;
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        if name.is_empty() || !name.bytes().all(is_token) || !is_text(value) {
            return None;
        }
        if name != "Date" {
            fields.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }
    let mut answer = Answer { status, fields, body: Vec::new(), whole: true, closes: false };
    let connection = answer.value("connection").unwrap_or_default();
    answer.closes = split(connection, b',').iter().any(|o| trim(o).eq_ignore_ascii_case(b"close"));
    Some((answer, end + 4))
}

/// How many bytes the body is long.
fn with_body(mut answer: Answer, bytes: &[u8], method: &str) -> (Answer, usize) {
    let count =
        |name: &str| answer.fields.iter().filter(|f| f.0.eq_ignore_ascii_case(name)).count();
    assert!(count("content-length") <= 1 && count("transfer-encoding") <= 1, "{answer:?}");
    let length = answer.value("content-length").map(|value| decimal(value).expect("a length"));
    let chunked = answer.value("transfer-encoding").map(|coding| assert_eq!(coding, b"chunked"));
    let without = matches!(answer.status, 204 | 304);
    if without || method == "HEAD" && (!answer.closes || answer.status < 400 || bytes.is_empty()) {
        assert!(!without || length.is_none() && chunked.is_none(), "a length: {answer:?}");
        return (answer, 0);
    }
    let framing = match (chunked, length) {
        (Some(()), Some(_)) => panic!("two framings: {answer:?}"),
        (Some(()), None) => BodyFraming::Chunked,
        (None, Some(length)) => BodyFraming::Length(length),
        // Until the end of the connection.
        (None, None) => {
            answer.closes = true;
            answer.body = bytes.to_vec();
            return (answer, bytes.len());
        }
    };
    match body(framing, bytes) {
        Found::Whole(Body { data, length }) => {
            answer.body = data;
            (answer, length)
        }
        Found::Incomplete => {
            answer.whole = false;
            answer.closes = true;
            (answer, bytes.len())
        }
        Found::Malformed => panic!("a body that is none: {answer:?} {}", show(bytes)),
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
