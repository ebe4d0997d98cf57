//! Messages to frames.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::Role;
use super::close::CloseFrame;
use super::deflate::compress::Deflater;
use super::deflate::params::Deflate;
use super::header::{EncodedHeader, FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};
use super::mask::MaskKeys;
use super::prepared::Prepared;
use crate::websocket::message::MessageKind;

/// Makes the frames of one side of a connection.
///
/// Every message is one frame. Frames must be sent in the order in which they are made, all of
/// them: with context takeover, a message refers to the ones before it.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// A client has keys to mask its frames with.
    keys: Option<Box<MaskKeys>>,
    deflater: Option<Box<Deflater>>,
}

/// A frame that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    header: EncodedHeader,
    payload: Cow<'a, [u8]>,
}

impl<'a> Frame<'a> {
    /// The bytes to send first, at most 14.
    pub(crate) fn header(&self) -> &[u8] {
        self.header.as_slice()
    }

    /// The bytes to send next.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bytes to send next: the borrowed payload of the message, or owned bytes if the payload
    /// was compressed or masked.
    pub(crate) fn into_payload(self) -> Cow<'a, [u8]> {
        self.payload
    }

    /// The length of header and payload.
    pub(crate) fn len(&self) -> usize {
        self.header().len() + self.payload.len()
    }

    /// Header and payload in one piece.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        [self.header(), &self.payload].concat()
    }
}

impl Encoder {
    /// An encoder for the side `role` of a new connection. Messages are compressed if `deflate` was
    /// agreed on and its options say so.
    pub(crate) fn new(role: Role, deflate: Option<&Deflate>) -> Self {
        Self {
            keys: (role == Role::Client).then(|| Box::new(MaskKeys::new())),
            deflater: deflate.map(|deflate| Box::new(Deflater::new(deflate, role))),
        }
    }

    /// The frame of a message. The payload of [text](MessageKind::Text) must be UTF-8.
    ///
    /// A server copies the payload only to compress it.
    pub(crate) fn message<'a>(&mut self, kind: MessageKind, payload: &'a [u8]) -> Frame<'a> {
        debug_assert!(kind == MessageKind::Binary || str::from_utf8(payload).is_ok());
        let compressed = self.deflater.as_mut().and_then(|d| d.compress(kind, payload));
        match compressed {
            Some(compressed) => self.frame(opcode(kind), true, Cow::Owned(compressed)),
            None => self.frame(opcode(kind), false, Cow::Borrowed(payload)),
        }
    }

    /// The frame of a message that many connections are sent. A server shares its memory with the
    /// frames for other connections that agreed on the same parameters.
    pub(crate) fn prepared(&mut self, message: &Prepared) -> Bytes {
        if self.keys.is_some() {
            return self.message(message.kind(), message.payload()).to_vec().into();
        }
        let Some(deflater) = &mut self.deflater else { return message.plain_frame() };
        match message.compressed_frame(deflater) {
            Some(frame) => {
                deflater.sent_shared(message.payload());
                frame
            }
            None => message.plain_frame(),
        }
    }

    /// The frame of a ping.
    ///
    /// # Errors
    ///
    /// If `payload` has more than 125 bytes.
    pub(crate) fn ping<'a>(&mut self, payload: &'a [u8]) -> Result<Frame<'a>, PayloadTooLong> {
        self.control(Opcode::Ping, payload)
    }

    /// The frame of a pong, which has the payload of its ping.
    ///
    /// # Errors
    ///
    /// If `payload` has more than 125 bytes.
    pub(crate) fn pong<'a>(&mut self, payload: &'a [u8]) -> Result<Frame<'a>, PayloadTooLong> {
        self.control(Opcode::Pong, payload)
    }

    /// A close frame. No frame may follow it.
    pub(crate) fn close(&mut self, close: Option<&CloseFrame>) -> Frame<'static> {
        let payload = close.map(CloseFrame::payload).unwrap_or_default();
        self.frame(Opcode::Close, false, Cow::Owned(payload))
    }

    /// How many bytes of memory it holds for context takeover.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.deflater.as_ref().map_or(0, |deflater| deflater.memory())
    }

    /// Returns all memory that it can do without, for a wait that may be long. The next compressed
    /// message does not refer to the messages before it.
    pub(crate) fn shrink(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.forget();
        }
    }

    fn control<'a>(
        &mut self,
        opcode: Opcode,
        payload: &'a [u8],
    ) -> Result<Frame<'a>, PayloadTooLong> {
        match payload.len() {
            0..=MAX_CONTROL_PAYLOAD => Ok(self.frame(opcode, false, Cow::Borrowed(payload))),
            length => Err(PayloadTooLong { length }),
        }
    }

    fn frame<'a>(
        &mut self,
        opcode: Opcode,
        compressed: bool,
        mut payload: Cow<'a, [u8]>,
    ) -> Frame<'a> {
        let mask = self.keys.as_mut().map(|keys| keys.next_key());
        if let Some(mut key) = mask {
            key.apply(payload.to_mut());
        }
        let length = payload.len() as u64;
        let header = FrameHeader { fin: true, compressed, opcode, mask, length }.encode();
        Frame { header, payload }
    }
}

/// The opcode of the first frame of a message.
pub(super) fn opcode(kind: MessageKind) -> Opcode {
    match kind {
        MessageKind::Text => Opcode::Text,
        MessageKind::Binary => Opcode::Binary,
    }
}

/// The payload of a ping or pong does not fit into a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PayloadTooLong {
    length: usize,
}

impl fmt::Display for PayloadTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.length;
        write!(f, "a ping or pong has at most {MAX_CONTROL_PAYLOAD} bytes, and this one {length}")
    }
}

impl std::error::Error for PayloadTooLong {}

#[cfg(test)]
mod tests;
