//! Fast path of [`encode_head`](super::encode_head): same result; skip on a first reading.

use std::cell::Cell;

use super::{CONTENT_LENGTH, HTML, STATUS_AND_SERVER, TAIL, content_type, field, put_etag};
use crate::http1::date::DateLine;
use crate::http1::etag::ETag;
use crate::http1::header_list::{HeaderList, HeaderRole};
use crate::http1::send_buffer::{Room, SendBuffer};

/// Everything before the value of the `Content-Type`.
const START: &[u8; START_TEXT.len()] = START_TEXT.as_bytes().first_chunk().unwrap();
const START_TEXT: &str =
    concat!("HTTP/1.1 200 OK\r\nServer: Squall/", env!("CARGO_PKG_VERSION"), "\r\nContent-Type: ");

/// Appends a 200 response that keeps the connection open, head and body. Its `headers` must be
/// [plain](HeaderList::are_plain).
pub(crate) fn encode_fast(
    out: &mut SendBuffer,
    headers: &HeaderList,
    date: &Cell<DateLine>,
    etag: Option<ETag>,
    body: &[u8],
) {
    let content_type = match headers.lines() {
        [] if !body.is_empty() => HTML,
        [(_, value)] if headers.has(HeaderRole::ContentType) => value.as_bytes(),
        _ => return encode_lines_fast(out, headers, date, etag, body),
    };
    out.put_together(START.len() + content_type.len() + TAIL + body.len(), |room| {
        room.put(START);
        room.extend(content_type);
        room.put(b"\r\n");
        put_end(room, date, etag, body);
    });
}

/// Like [`encode_fast`], but with any number of headers.
fn encode_lines_fast(
    out: &mut SendBuffer,
    headers: &HeaderList,
    date: &Cell<DateLine>,
    etag: Option<ETag>,
    body: &[u8],
) {
    out.put_together(STATUS_AND_SERVER.len(), |room| room.put(STATUS_AND_SERVER));
    if !body.is_empty() && !headers.has(HeaderRole::ContentType) {
        content_type(out, HTML);
    }
    headers.lines().iter().for_each(|(name, value)| field(out, name, value));
    out.put_together(TAIL + body.len(), |room| put_end(room, date, etag, body));
}

/// Writes everything after the handler's headers.
fn put_end(room: &mut Room<'_>, date: &Cell<DateLine>, etag: Option<ETag>, body: &[u8]) {
    room.put(&date.get());
    if let Some(etag) = etag {
        put_etag(room, etag);
    }
    room.put(CONTENT_LENGTH);
    room.put_decimal(body.len() as u64);
    room.put(b"\r\n\r\n");
    room.extend(body);
}
