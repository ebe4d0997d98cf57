//! Which heads are accepted, what they mean, and how the others are refused.
//!
//! The parser gets each head in all the ways in which it can arrive, and all results must agree.

use super::*;

mod arrival;
mod fields;
mod framing;
mod host;
mod properties;
mod request_line;

pub(super) const LIMITS: HeadLimits =
    HeadLimits { max_head_size: 64 * 1024, max_fields: 256, max_target: 8 * 1024 };

/// A head and the bytes it was parsed from.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) head: Head,
    pub(super) bytes: Vec<u8>,
}

impl Parsed {
    pub(super) fn text(&self, range: Range) -> String {
        String::from_utf8_lossy(range.of(&self.bytes)).into_owned()
    }

    pub(super) fn path(&self) -> String {
        self.text(self.head.path)
    }

    pub(super) fn query(&self) -> Option<String> {
        self.head.query.map(|query| self.text(query))
    }

    pub(super) fn authority(&self) -> Option<String> {
        self.head.authority.map(|authority| self.text(authority))
    }

    pub(super) fn lines(&self) -> Vec<(String, String)> {
        self.head
            .fields
            .iter()
            .map(|field| (self.text(field.name), self.text(field.value)))
            .collect()
    }

    /// All observable parts of the head.
    fn appearance(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let head = &self.head;
        (
            (head.method.clone(), head.version, self.text(head.target), self.path()),
            (self.query(), self.authority(), self.lines()),
            (head.framing, head.keep_alive, head.expect, head.upgrade),
        )
    }
}

/// Parses a complete head in every way in which it can arrive, and checks that all agree.
#[track_caller]
pub(super) fn parse(head: impl AsRef<[u8]>) -> Result<Parsed, HeadError> {
    let bytes = head.as_ref();
    let whole = at_once(bytes);
    let ways = [
        ("byte by byte", in_pieces(bytes, 1..bytes.len())),
        ("in threes", in_pieces(bytes, (3..bytes.len()).step_by(3))),
        (
            "with another behind it",
            at_once(&[bytes, b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"].concat()),
        ),
        ("with junk behind it", at_once(&[bytes, b"\0\n\n"].concat())),
    ];
    for (way, other) in ways {
        agree(&whole, &other, way);
    }
    for cut in 1..bytes.len().min(200) {
        agree(&whole, &in_pieces(bytes, [cut]), &format!("cut after {cut} bytes"));
    }
    whole
}

#[track_caller]
fn agree(one: &Result<Parsed, HeadError>, other: &Result<Parsed, HeadError>, way: &str) {
    match (one, other) {
        (Ok(one), Ok(other)) => assert_eq!(one.appearance(), other.appearance(), "{way}"),
        (Err(one), Err(other)) => assert_eq!(one.status(), other.status(), "{way}"),
        _ => panic!("{way}: {other:?} instead of {one:?}"),
    }
}

/// Parses `lines` after a request line and `Host`.
#[track_caller]
pub(super) fn parse_lines(lines: impl AsRef<[u8]>) -> Result<Parsed, HeadError> {
    parse([b"POST / HTTP/1.1\r\nHost: a\r\n", lines.as_ref(), b"\r\n\r\n"].concat())
}

fn at_once(bytes: &[u8]) -> Result<Parsed, HeadError> {
    let mut head = Head::new();
    let read = head.read(&mut PartialHead::default(), bytes, &LIMITS)?;
    let range = read.expect("the head is complete");
    Ok(Parsed { head, bytes: bytes[range].to_vec() })
}

/// Reads `bytes` as they arrive in pieces that end at `cuts`.
fn in_pieces(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Result<Parsed, HeadError> {
    let (mut head, mut partial) = (Head::new(), PartialHead::default());
    for end in cuts {
        assert_eq!(head.read(&mut partial, &bytes[..end], &LIMITS)?, None, "after {end} bytes");
    }
    let read = head.read(&mut partial, bytes, &LIMITS)?;
    let range = read.expect("the head is complete");
    Ok(Parsed { head, bytes: bytes[range].to_vec() })
}

/// Checks that `head` is refused with `status`.
#[track_caller]
pub(super) fn refused(what: &str, head: impl AsRef<[u8]>, status: u16) {
    match parse(head) {
        Ok(parsed) => panic!("{what}: accepted as {parsed:?}"),
        Err(error) => assert_eq!(error.status(), status, "{what}: {error}"),
    }
}

#[test]
fn a_reused_head_has_nothing_of_the_last_request() {
    let read = |head: &mut Head, bytes: &[u8]| {
        assert_eq!(
            head.read(&mut PartialHead::default(), bytes, &LIMITS),
            Ok(Some(0..bytes.len()))
        );
    };
    let mut head = Head::new();
    let first = b"POST /a?b HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: y\r\n\
        Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    read(&mut head, first);
    assert!(head.upgrade && !head.keep_alive && head.query.is_some());
    let room = head.fields.capacity();

    head.clear();
    assert_eq!(format!("{head:?}"), format!("{:?}", Head::new()));
    assert_eq!(head.fields.capacity(), room, "the memory is kept");

    // Also without `clear`.
    read(&mut head, first);
    let second = b"GET / HTTP/1.0\r\n\r\n";
    read(&mut head, second);
    let mut fresh = Head::new();
    read(&mut fresh, second);
    assert_eq!(format!("{head:?}"), format!("{fresh:?}"));
}

#[test]
fn fields_are_found_by_name_in_any_case() {
    let parsed = parse_lines("Accept: a\r\nX: 1\r\naccept: b\r\nAccep: c\r\nACCEPT:").unwrap();
    let (head, bytes) = (&parsed.head, parsed.bytes.as_slice());
    assert_eq!(head.fields(bytes, "aCCept").next(), Some(b"a".as_slice()));
    assert_eq!(head.fields(bytes, "accept").collect::<Vec<_>>(), [b"a".as_slice(), b"b", b""]);
    assert_eq!(head.fields(bytes, "missing").next(), None);
}
