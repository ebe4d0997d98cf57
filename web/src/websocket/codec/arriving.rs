//! The part of the next frame and the next message that has arrived.

use super::assembly::Assembly;
use super::deflate::inflate::Inflation;
use super::header::{MAX_HEADER, Opcode};
use super::mask::MaskKey;

/// The frame and the message of which a part has arrived.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    /// The beginning of a header of which not all bytes have arrived.
    pub(super) header: PartialHeader,
    /// The frame whose payload is being received.
    pub(super) frame: Option<Frame>,
    /// The payload of a control frame of which a part has arrived.
    pub(super) control: Vec<u8>,
    pub(super) message: Option<PartialMessage>,
}

impl Arriving {
    /// Whether the last message is complete, and no part of another frame has arrived.
    pub(super) fn is_nothing(&self) -> bool {
        self.frame.is_none() && self.message.is_none() && self.header.len == 0
    }

    /// How many bytes of memory it holds for payloads.
    #[cfg(any(test, feature = "internals"))]
    pub(super) fn memory(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.assembly.len());
        message + self.control.capacity()
    }
}

#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    pub(super) bytes: [u8; MAX_HEADER],
    pub(super) len: u8,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// The key for the next bytes.
    pub(super) mask: Option<MaskKey>,
    /// How many bytes have not arrived.
    pub(super) left: u64,
}

/// A message of which not all frames have arrived.
#[derive(Debug)]
pub(super) struct PartialMessage {
    pub(super) assembly: Assembly,
    /// The payloads of its frames together, as they were announced.
    pub(super) announced: u64,
    pub(super) inflation: Option<Inflation>,
}
