//! A message encoded once for many receivers.

use std::cell::{OnceCell, RefCell};

use bytes::Bytes;

use super::deflate::compress::{Deflater, SharedCompression};
use super::encoder::opcode;
use super::header::FrameHeader;
use crate::websocket::message::{Message, MessageKind};

/// A message that a server sends to many clients. Each form of its frame is made when the first
/// client needs it, and shared by all that need the same form: uncompressed, and compressed for
/// each window size.
///
/// Sent by [`WebSocket::send_prepared`](crate::websocket::WebSocket::send_prepared) and
/// [`WebSocketSender::send_prepared`](crate::websocket::WebSocketSender::send_prepared).
#[derive(Debug)]
pub struct Prepared {
    kind: MessageKind,
    payload: Bytes,
    plain: OnceCell<Bytes>,
    /// `None` for a message that is better sent uncompressed.
    compressed: RefCell<Vec<(SharedCompression, Option<Bytes>)>>,
}

impl Prepared {
    /// Returns the message, not encoded yet.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        Self {
            kind: message.kind(),
            payload: message.into_bytes(),
            plain: OnceCell::new(),
            compressed: RefCell::default(),
        }
    }

    pub(crate) fn kind(&self) -> MessageKind {
        self.kind
    }

    pub(crate) fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The uncompressed frame of a server.
    pub(super) fn plain_frame(&self) -> Bytes {
        self.plain.get_or_init(|| frame(self.kind, false, &self.payload)).clone()
    }

    /// The compressed frame of a server, for the connection of `deflater` and those like it.
    pub(super) fn compressed_frame(&self, deflater: &Deflater) -> Option<Bytes> {
        let how = deflater.shared();
        let mut forms = self.compressed.borrow_mut();
        if let Some((_, frame)) = forms.iter().find(|(form, _)| *form == how) {
            return frame.clone();
        }
        let payload = deflater.compress_shared(self.kind, &self.payload);
        let frame = payload.map(|payload| frame(self.kind, true, &payload));
        forms.push((how, frame.clone()));
        frame
    }
}

fn frame(kind: MessageKind, compressed: bool, payload: &[u8]) -> Bytes {
    let length = payload.len() as u64;
    let header = FrameHeader { fin: true, compressed, opcode: opcode(kind), mask: None, length };
    [header.encode().as_slice(), payload].concat().into()
}
