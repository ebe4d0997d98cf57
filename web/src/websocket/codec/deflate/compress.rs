//! Messages to compressed payloads.

use std::rc::Rc;

use flate2::{Compression, FlushCompress};

use super::history::History;
use super::params::{CompressionOptions, Deflate, Direction};
use super::{Compressor, DeflatePool, FLUSH_TAIL};
use crate::websocket::codec::Role;
use crate::websocket::message::MessageKind;

/// How many bytes of the messages before a message refers to at most, with context takeover. To
/// refer to 32 KiB costs 80 µs for each message, and as much memory for each connection.
const MAX_HISTORY: usize = 4 * 1024;

/// Room for a compressed message beyond a quarter of its length.
const LITTLE_ROOM: usize = 64;

/// Compresses the messages of a connection.
#[derive(Debug)]
pub(in crate::websocket::codec) struct Deflater {
    pool: Rc<DeflatePool>,
    options: CompressionOptions,
    direction: Direction,
    /// Of the messages before. It stays empty without context takeover.
    history: History,
}

impl Deflater {
    pub(in crate::websocket::codec) fn new(deflate: &Deflate, role: Role) -> Self {
        let direction = deflate.params.sent_by(role);
        let limit = if direction.takeover { direction.window.size().min(MAX_HISTORY) } else { 0 };
        Self {
            pool: Rc::clone(&deflate.pool),
            options: deflate.options,
            direction,
            history: History::new(limit),
        }
    }

    /// How the messages are compressed, if they do not refer to messages before them.
    pub(in crate::websocket::codec) fn shared(&self) -> SharedCompression {
        SharedCompression { options: self.options, window: self.direction.window }
    }

    /// Compresses `payload`. Returns `None` if it should be sent as it is: it is too short, of a
    /// kind that is not compressed, or not shorter when compressed.
    pub(in crate::websocket::codec) fn compress(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let compressed = self.shared().compress(&self.pool, &self.history, kind, payload)?;
        self.history.push(payload);
        Some(compressed)
    }

    /// Compresses `payload` for any connection with the same [`SharedCompression`].
    pub(in crate::websocket::codec) fn compress_shared(
        &self,
        kind: MessageKind,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        self.shared().compress(&self.pool, &History::default(), kind, payload)
    }

    /// Notes that `payload` was sent compressed, by [`compress_shared`](Self::compress_shared).
    pub(in crate::websocket::codec) fn sent_shared(&mut self, payload: &[u8]) {
        self.history.push(payload);
    }

    /// How many bytes of memory the history holds.
    #[cfg(test)]
    pub(in crate::websocket::codec) fn memory(&self) -> usize {
        self.history.memory()
    }

    /// Forgets the messages before: the next message does not refer to them.
    pub(in crate::websocket::codec) fn forget(&mut self) {
        self.history.clear();
    }
}

/// All that a compressed payload depends on, unless it refers to messages before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::websocket::codec) struct SharedCompression {
    options: CompressionOptions,
    window: super::params::WindowBits,
}

impl SharedCompression {
    fn compress(
        self,
        pool: &DeflatePool,
        history: &History,
        kind: MessageKind,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let is_compressed = kind == MessageKind::Text || self.options.binary;
        if !is_compressed || payload.len() < self.options.min_size || payload.is_empty() {
            return None;
        }
        let level = Compression::new(u32::from(self.options.level.clamp(1, 9)));
        let mut compressor = pool.take_compressor(level, self.window);
        let compressed = compressor.compress(history, payload);
        pool.give_compressor(compressor);
        compressed.filter(|compressed| compressed.len() < payload.len())
    }
}

impl Compressor {
    /// The compressed payload, without the tail of the flush.
    fn compress(&mut self, history: &History, payload: &[u8]) -> Option<Vec<u8>> {
        for part in history.parts().into_iter().filter(|part| !part.is_empty()) {
            // It fails only for streams with a header, and within a block.
            self.state.set_dictionary(part).ok()?;
        }
        let start = self.state.total_in();
        let mut compressed = Vec::with_capacity(payload.len() / 4 + LITTLE_ROOM);
        loop {
            let used = (self.state.total_in() - start) as usize;
            let rest = &payload[used..];
            self.state.compress_vec(rest, &mut compressed, FlushCompress::Sync).ok()?;
            // Room that is left shows that the flush is complete.
            if compressed.len() < compressed.capacity() {
                break;
            }
            compressed.reserve(compressed.len());
        }
        debug_assert_eq!(self.state.total_in() - start, payload.len() as u64);
        compressed.ends_with(&FLUSH_TAIL).then(|| {
            compressed.truncate(compressed.len() - FLUSH_TAIL.len());
            compressed
        })
    }
}
