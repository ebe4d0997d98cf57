//! A request head, in any pieces.
//!
//! The first byte chooses the limits, the next three where the rest is cut.

#![no_main]

use std::ops::Range;

use libfuzzer_sys::fuzz_target;
use squall::fuzzing::{HeadReader, ParsedHead};
use squall_fuzz::pieces::cuts;
use squall_fuzz::simple::{self, Found};

type Read = Result<Option<(Range<usize>, ParsedHead)>, u16>;

fuzz_target!(|data: &[u8]| {
    let [limits, a, b, c, bytes @ ..] = data else { return };
    let mut at_once = reader(*limits);
    let mut slowly = reader(*limits);
    let read = at_once.read(bytes);
    let in_pieces = read_in_pieces(&mut slowly, bytes, &cuts([*a, *b, *c], bytes.len()));
    match (&read, &in_pieces) {
        // Of several faults, which is found first may depend on the pieces.
        (Err(_), Err(_)) => {}
        // What is not complete is not checked as thoroughly if it comes in pieces.
        (Err(_), Ok(None)) => refuses_when_complete(&mut slowly, bytes),
        (Ok(None), Err(_)) => refuses_when_complete(&mut at_once, bytes),
        _ => assert_eq!(read, in_pieces, "it depends on how it arrives"),
    }
    if let Ok(Some((place, head))) = read {
        compare_with_simple(bytes, &place, &head);
        read_again(&head);
    }
});

fn reader(limits: u8) -> HeadReader {
    match limits & 1 {
        0 => HeadReader::new(64 * 1024, 100, 8 * 1024),
        _ => HeadReader::new(128, 3, 40),
    }
}

fn read_in_pieces(reader: &mut HeadReader, bytes: &[u8], cuts: &[usize]) -> Read {
    for &cut in cuts {
        let read = reader.read(&bytes[..cut]);
        if !matches!(read, Ok(None)) {
            return read;
        }
    }
    reader.read(bytes)
}

fn refuses_when_complete(reader: &mut HeadReader, bytes: &[u8]) {
    let complete = [bytes, b"\r\n\r\n"].concat();
    assert!(!matches!(reader.read(&complete), Ok(Some(_))), "refused only at once");
}

fn compare_with_simple(bytes: &[u8], place: &Range<usize>, head: &ParsedHead) {
    let Found::Whole(simple) = simple::head(bytes) else { panic!("accepted: {head:?}") };
    assert_eq!(simple.length, place.end);
    assert_eq!(simple.method, head.method);
    assert_eq!(simple.target, head.target);
    assert_eq!(simple.http11, head.http11);
    assert_eq!(simple.fields, head.fields);
    assert_eq!(simple.framing, head.framing);
}

/// Written anew, an accepted head means the same.
fn read_again(head: &ParsedHead) {
    let mut bytes = head.method.clone().into_bytes();
    bytes.push(b' ');
    bytes.extend_from_slice(&head.target);
    bytes.extend_from_slice(if head.http11 { b" HTTP/1.1\r\n" } else { b" HTTP/1.0\r\n" });
    for (name, value) in &head.fields {
        bytes.extend_from_slice(&[name, b": ".as_slice(), value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    let read = HeadReader::new(1 << 20, 1000, 1 << 20).read(&bytes);
    assert_eq!(read, Ok(Some((0..bytes.len(), head.clone()))));
}
