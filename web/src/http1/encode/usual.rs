//! A response as most are, its head and its body together.

use std::cell::Cell;

use http::{HeaderName, HeaderValue};

use super::{CONTENT_LENGTH, ETAG, TAIL, USUAL, field, fill_etag, put_etag};
use crate::http1::date::DateLine;
use crate::http1::etag::ETag;
use crate::http1::header_list::HeaderList;
use crate::http1::send_buffer::{Room, SendBuffer};

const START: &[u8; START_TEXT.len()] = START_TEXT.as_bytes().first_chunk().unwrap();
const START_TEXT: &str =
    concat!("HTTP/1.1 200 OK\r\nServer: Squall/", env!("CARGO_PKG_VERSION"), "\r\nContent-Type: ");

/// Appends a 200 on a connection that stays open, whose `headers`
/// [are usual](HeaderList::is_usual).
#[inline(always)]
pub(crate) fn encode_usual(
    out: &mut SendBuffer,
    headers: &HeaderList,
    date: &Cell<DateLine>,
    etag: Option<ETag>,
    body: &[u8],
) {
    let ([(_, content_type)], Some(etag)) = (headers.lines(), etag) else {
        return encode_untagged(out, headers, date, etag, body);
    };
    let content_type = content_type.as_bytes();
    let most = START.len() + content_type.len() + TAIL + body.len();
    out.put_together(most, |room| {
        room.put(START);
        room.extend(content_type);
        put_middle(room, date, etag);
        put_length_and_body(room, body);
    });
}

/// As [`encode_usual`], best where there is no tag, as in the answer to a POST.
#[inline(never)]
pub(crate) fn encode_untagged(
    out: &mut SendBuffer,
    headers: &HeaderList,
    date: &Cell<DateLine>,
    etag: Option<ETag>,
    body: &[u8],
) {
    let ([(_, content_type)], None) = (headers.lines(), etag) else {
        return encode_lines(out, headers.lines(), date, etag, body);
    };
    let content_type = content_type.as_bytes();
    let most = START.len() + content_type.len() + TAIL + body.len();
    out.put_together(most, |room| {
        room.put(START);
        room.extend(content_type);
        put_short_middle(room, date);
        put_length_and_body(room, body);
    });
}

/// As [`encode_usual`], whatever the headers are.
#[inline(never)]
fn encode_lines(
    out: &mut SendBuffer,
    lines: &[(HeaderName, HeaderValue)],
    date: &Cell<DateLine>,
    etag: Option<ETag>,
    body: &[u8],
) {
    out.put_together(USUAL.len(), |room| room.put(USUAL));
    lines.iter().for_each(|(name, value)| field(out, name, value));
    out.put_together(TAIL + body.len(), |room| {
        room.put(&date.get());
        if let Some(etag) = etag {
            put_etag(room, etag);
        }
        room.put(CONTENT_LENGTH);
        put_length_and_body(room, body);
    });
}

const MIDDLE: usize = b"\r\n".len() + size_of::<DateLine>() + ETAG.len() + CONTENT_LENGTH.len();

/// What stands between the value of the `Content-Type` and that of the `Content-Length`.
#[inline(always)]
fn put_middle(room: &mut Room<'_>, date: &Cell<DateLine>, etag: ETag) {
    room.put_with(|middle: &mut [u8; MIDDLE]| {
        let (line_end, rest) = middle.split_at_mut(b"\r\n".len());
        let (date_line, rest) = rest.split_at_mut(size_of::<DateLine>());
        let (etag_line, length) = rest.split_at_mut(ETAG.len());
        line_end.copy_from_slice(b"\r\n");
        date_line.copy_from_slice(&date.get());
        if let Some(etag_line) = etag_line.first_chunk_mut() {
            fill_etag(etag_line, etag);
        }
        length.copy_from_slice(CONTENT_LENGTH);
    });
}

/// The same without a tag.
#[inline(always)]
fn put_short_middle(room: &mut Room<'_>, date: &Cell<DateLine>) {
    const LEN: usize = MIDDLE - ETAG.len();
    room.put_with(|middle: &mut [u8; LEN]| {
        let (line_end, rest) = middle.split_at_mut(b"\r\n".len());
        let (date_line, length) = rest.split_at_mut(size_of::<DateLine>());
        line_end.copy_from_slice(b"\r\n");
        date_line.copy_from_slice(&date.get());
        length.copy_from_slice(CONTENT_LENGTH);
    });
}

#[inline(always)]
fn put_length_and_body(room: &mut Room<'_>, body: &[u8]) {
    room.put_decimal(body.len() as u64);
    room.put(b"\r\n\r\n");
    room.extend(body);
}
