//! A reader of WebSocket frames that has all the bytes at once, and is as plain as the standard
//! allows. It knows no limits.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as decompress_some};
use squall::internals::WebSocketEvent;

/// The content of some bytes.
#[derive(Debug, Default)]
pub struct Read {
    pub events: Vec<WebSocketEvent>,
    /// The code to close the connection with, if the bytes are wrong.
    pub refused: Option<u16>,
    /// Whether this reader does not know what follows: it does not read messages that consist of
    /// several DEFLATE streams.
    pub is_unsure: bool,
}

struct Frame<'a> {
    fin: bool,
    compressed: bool,
    opcode: u8,
    length: u64,
    payload: Vec<u8>,
    rest: &'a [u8],
}

struct Message {
    is_text: bool,
    compressed: bool,
    payload: Vec<u8>,
}

/// Reads frames for a server, or a client. They may be compressed if `deflate` is given, and refer
/// to those before them if it is `Some(true)`.
pub fn read(is_server: bool, deflate: Option<bool>, bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let mut window = Vec::new();
    let mut message: Option<Message> = None;
    let mut bytes = bytes;
    loop {
        let frame = match frame(is_server, bytes) {
            Ok(Some(frame)) => frame,
            Ok(None) => return read,
            Err(code) => {
                read.refused = Some(code);
                return read;
            }
        };
        let is_whole = frame.payload.len() as u64 == frame.length;
        match step(&mut read, deflate, &mut message, &mut window, &frame, is_whole) {
            Ok(()) => {}
            Err(code) => {
                read.refused = Some(code);
                return read;
            }
        }
        if !is_whole
            || read.is_unsure
            || matches!(read.events.last(), Some(WebSocketEvent::Close(_)))
        {
            return read;
        }
        bytes = frame.rest;
    }
}

/// The frame at the front of `bytes`, with what is there of its payload.
fn frame(is_server: bool, bytes: &[u8]) -> Result<Option<Frame<'_>>, u16> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    if first & 0x30 != 0 || ![0, 1, 2, 8, 9, 10].contains(&opcode) || opcode >= 8 && !fin {
        return Err(1002);
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    let short = second & 0x7f;
    if opcode >= 8 && short > 125 {
        return Err(1002);
    }
    let size = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(digits) = bytes.get(2..2 + size) else { return Ok(None) };
    let length = digits.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    let length = if size == 0 { u64::from(short) } else { length };
    if size == 2 && length < 126 || size == 8 && (length < 65536 || length >= 1 << 63) {
        return Err(1002);
    }
    let key_size = if second & 0x80 != 0 { 4 } else { 0 };
    let Some(key) = bytes.get(2 + size..2 + size + key_size) else { return Ok(None) };
    if is_server == key.is_empty() {
        return Err(1002);
    }
    let rest = &bytes[2 + size + key_size..];
    let here = length.min(rest.len() as u64) as usize;
    let key = if key.is_empty() { &[0] } else { key };
    let payload = rest[..here].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    let (payload, rest) = (payload.collect(), &rest[here..]);
    Ok(Some(Frame { fin, compressed: first & 0x40 != 0, opcode, length, payload, rest }))
}

fn step(
    read: &mut Read,
    deflate: Option<bool>,
    message: &mut Option<Message>,
    window: &mut Vec<u8>,
    frame: &Frame<'_>,
    is_whole: bool,
) -> Result<(), u16> {
    if frame.compressed && (deflate.is_none() || ![1, 2].contains(&frame.opcode)) {
        return Err(1002);
    }
    if frame.opcode >= 8 {
        if is_whole {
            read.events.push(control(frame.opcode, &frame.payload)?);
        }
        return Ok(());
    }
    if (frame.opcode == 0) != message.is_some() {
        return Err(1002);
    }
    let mut whole = message.take().unwrap_or_else(|| Message {
        is_text: frame.opcode == 1,
        compressed: frame.compressed,
        payload: Vec::new(),
    });
    whole.payload.extend_from_slice(&frame.payload);
    if !frame.fin || !is_whole {
        if whole.is_text && !whole.compressed {
            may_begin_text(&whole.payload)?;
        }
        *message = Some(whole);
        return Ok(());
    }
    let payload = match whole.compressed {
        false => whole.payload,
        true => match decompress(window, &whole.payload)? {
            Some(payload) => {
                if deflate == Some(true) {
                    window.extend_from_slice(&payload);
                }
                payload
            }
            None => {
                read.is_unsure = true;
                return Ok(());
            }
        },
    };
    read.events.push(match whole.is_text {
        true => WebSocketEvent::Text(String::from_utf8(payload).map_err(|_| 1007_u16)?),
        false => WebSocketEvent::Binary(payload),
    });
    Ok(())
}

fn may_begin_text(bytes: &[u8]) -> Result<(), u16> {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_some() => Err(1007),
        _ => Ok(()),
    }
}

fn control(opcode: u8, payload: &[u8]) -> Result<WebSocketEvent, u16> {
    Ok(match (opcode, payload) {
        (9, _) => WebSocketEvent::Ping(payload.to_vec()),
        (10, _) => WebSocketEvent::Pong(payload.to_vec()),
        (_, []) => WebSocketEvent::Close(None),
        (_, [high, low, reason @ ..]) => {
            let code = u16::from_be_bytes([*high, *low]);
            let is_valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let reason = String::from_utf8(reason.to_vec());
            WebSocketEvent::Close(Some((
                if is_valid { code } else { return Err(1002) },
                reason.map_err(|_| 1007_u16)?,
            )))
        }
        _ => return Err(1002),
    })
}

/// Decompresses `payload`, which may refer to `window`. Returns `None` if this reader cannot tell.
fn decompress(window: &[u8], payload: &[u8]) -> Result<Option<Vec<u8>>, u16> {
    if payload.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let window = &window[window.len().saturating_sub(32768)..];
    // The tail that the sender removed, and a final block.
    let input = [payload, &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    let (mut state, mut used) = (DecompressorOxide::new(), 0);
    let (mut output, mut end) = (window.to_vec(), window.len());
    loop {
        output.resize(end + (1 << 16), 0);
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) =
            decompress_some(&mut state, &input[used..], &mut output, end, flags);
        used += read;
        end += written;
        match status {
            TINFLStatus::HasMoreOutput => {}
            TINFLStatus::Done if used == input.len() => break,
            // A final block of the sender.
            TINFLStatus::Done if used <= payload.len() => return Ok(None),
            _ => return Err(1007),
        }
    }
    output.truncate(end);
    Ok(Some(output.split_off(window.len())))
}
