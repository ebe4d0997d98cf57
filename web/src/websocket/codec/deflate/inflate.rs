//! Compressed payloads to messages.

use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};

use super::history::{History, last};
use super::params::{Deflate, WindowBits};
use super::{DeflatePool, FLUSH_TAIL};
use crate::websocket::codec::Role;
use crate::websocket::codec::assembly::{Assembly, Expected};
use crate::websocket::codec::error::DecodeError;
use crate::websocket::message::Message;

/// An empty block that ends a stream. A message that ends where it should ends right before.
const FINAL_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Decompresses the messages of a connection.
#[derive(Debug)]
pub(in crate::websocket::codec) struct Inflater {
    pool: Rc<DeflatePool>,
    /// Of the messages before. It stays empty without context takeover.
    history: History,
}

/// A compressed message of which a part has arrived.
#[derive(Debug)]
pub(in crate::websocket::codec) struct Inflation {
    state: Box<Decompress>,
    /// Whether nothing has arrived of the current DEFLATE stream. A message consists of several if
    /// there are final blocks in it.
    at_start: bool,
}

/// A buffer that is filled with decompressed bytes.
struct Scratch {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Inflater {
    pub(in crate::websocket::codec) fn new(deflate: &Deflate, role: Role) -> Self {
        let direction = deflate.params.received_by(role);
        let limit = if direction.takeover { direction.window.size() } else { 0 };
        Self { pool: Rc::clone(&deflate.pool), history: History::new(limit) }
    }

    /// Begins a message.
    pub(in crate::websocket::codec) fn begin(&self) -> Inflation {
        let mut state = self.pool.take_decompressor();
        for part in self.history.parts() {
            refer_to(&mut state, part);
        }
        Inflation { state, at_start: true }
    }

    /// Decompresses `piece` into `message`, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If `piece` is corrupt, or if the message is too long or not UTF-8. Of several errors, the
    /// first in the order of the bytes.
    pub(in crate::websocket::codec) fn push(
        &self,
        inflation: &mut Inflation,
        message: &mut Assembly,
        piece: &[u8],
        limit: usize,
    ) -> Result<(), DecodeError> {
        let mut scratch = Scratch { bytes: self.pool.take_scratch(), filled: 0 };
        let run = self.run(inflation, message, piece, limit, &mut scratch);
        let pushed = scratch.check(run, message, limit);
        let pushed = pushed.and_then(|()| scratch.move_into(message, limit));
        self.pool.give_scratch(scratch.bytes);
        pushed
    }

    /// Like [`push`](Self::push), for the last piece. Returns the message.
    ///
    /// # Errors
    ///
    /// Also if the message ends within a DEFLATE block.
    pub(in crate::websocket::codec) fn finish(
        &mut self,
        mut inflation: Inflation,
        mut message: Assembly,
        piece: &[u8],
        limit: usize,
    ) -> Result<Message, DecodeError> {
        let mut scratch = Scratch { bytes: self.pool.take_scratch(), filled: 0 };
        let ended = self
            .run(&mut inflation, &mut message, piece, limit, &mut scratch)
            .and_then(|()| self.end(&mut inflation, &mut message, limit, &mut scratch));
        self.pool.give_decompressor(inflation.state);
        let ended = scratch.check(ended, &mut message, limit);
        let finished = ended.and_then(|()| scratch.finish(message, limit));
        self.pool.give_scratch(scratch.bytes);
        let finished = finished?;
        self.history.push(finished.as_bytes());
        Ok(finished)
    }

    /// Keeps the memory of a message that is not finished.
    pub(in crate::websocket::codec) fn abandon(&self, inflation: Inflation) {
        self.pool.give_decompressor(inflation.state);
    }

    /// How many bytes of memory the history holds.
    #[cfg(any(test, feature = "internals"))]
    pub(in crate::websocket::codec) fn memory(&self) -> usize {
        self.history.memory()
    }

    /// Returns memory that the history does not need.
    pub(in crate::websocket::codec) fn shrink(&mut self) {
        self.history.shrink();
    }

    /// Decompresses all of `input` into `scratch`, which it moves into `message` whenever it is
    /// full.
    fn run(
        &self,
        inflation: &mut Inflation,
        message: &mut Assembly,
        mut input: &[u8],
        limit: usize,
        scratch: &mut Scratch,
    ) -> Result<(), DecodeError> {
        if input.is_empty() {
            return Ok(());
        }
        inflation.at_start = false;
        loop {
            let (used, status) = inflation.step(input, message.len(), limit, scratch)?;
            input = &input[used..];
            if status == Status::StreamEnd {
                self.begin_stream(inflation, message, scratch, limit)?;
                if input.is_empty() {
                    return Ok(());
                }
                inflation.at_start = false;
            } else if scratch.is_full(message.len(), limit) {
                scratch.move_into(message, limit)?;
            } else if input.is_empty() {
                return Ok(());
            } else if used == 0 {
                return Err(DecodeError::CorruptDeflate);
            }
        }
    }

    /// Begins another DEFLATE stream in the same message. It may refer to all bytes before it.
    fn begin_stream(
        &self,
        inflation: &mut Inflation,
        message: &mut Assembly,
        scratch: &mut Scratch,
        limit: usize,
    ) -> Result<(), DecodeError> {
        scratch.move_into(message, limit)?;
        inflation.state.reset(false);
        for part in self.history.parts().into_iter().chain(message.bytes()) {
            refer_to(&mut inflation.state, part);
        }
        inflation.at_start = true;
        Ok(())
    }

    /// Checks that the message may end here.
    ///
    /// The sender removed the tail of a flush from the end of the message. A message may also end
    /// with a final block, or be empty: then there is no stream that a flush could end.
    fn end(
        &self,
        inflation: &mut Inflation,
        message: &mut Assembly,
        limit: usize,
        scratch: &mut Scratch,
    ) -> Result<(), DecodeError> {
        if inflation.at_start {
            return Ok(());
        }
        self.run(inflation, message, &FLUSH_TAIL, limit, scratch)?;
        // The tail may have ended the stream only if it was taken for something else.
        if inflation.at_start {
            return Err(DecodeError::CorruptDeflate);
        }
        self.run(inflation, message, &FINAL_BLOCK, limit, scratch)?;
        if inflation.at_start { Ok(()) } else { Err(DecodeError::CorruptDeflate) }
    }
}

impl Inflation {
    /// Decompresses from `input` into the room of `scratch`, behind the `length` bytes of the
    /// message. Returns how much it used.
    fn step(
        &mut self,
        input: &[u8],
        length: usize,
        limit: usize,
        scratch: &mut Scratch,
    ) -> Result<(usize, Status), DecodeError> {
        let (total_in, total_out) = (self.state.total_in(), self.state.total_out());
        let room = scratch.room(length, limit);
        let status = self.state.decompress(input, room, FlushDecompress::Sync);
        // Neither is more than the slices are long.
        let used = (self.state.total_in() - total_in) as usize;
        scratch.filled += (self.state.total_out() - total_out) as usize;
        let status = status.map_err(|_| DecodeError::CorruptDeflate)?;
        Ok((used, status))
    }
}

impl Scratch {
    /// Room for the next bytes: never for more than one byte beyond the limit.
    fn room(&mut self, length: usize, limit: usize) -> &mut [u8] {
        let end = self.end(length, limit);
        self.bytes.get_mut(self.filled..end).unwrap_or_default()
    }

    fn is_full(&self, length: usize, limit: usize) -> bool {
        self.filled >= self.end(length, limit)
    }

    fn end(&self, length: usize, limit: usize) -> usize {
        let allowed = limit.saturating_sub(length).saturating_add(1);
        allowed.min(self.bytes.len())
    }

    /// The decompressed bytes, if the message does not exceed its limit with them.
    fn content(&self, message: &mut Assembly, limit: usize) -> Result<&[u8], DecodeError> {
        let content = &self.bytes[..self.filled];
        let allowed = limit.saturating_sub(message.len());
        match content.get(..allowed) {
            Some(allowed) if allowed.len() < content.len() => {
                // There may be an earlier error in it.
                message.push(allowed, Expected { rest: None, limit })?;
                Err(DecodeError::DecompressedMessageTooBig)
            }
            _ => Ok(content),
        }
    }

    /// Returns `outcome`, or the error in the bytes that were decompressed before the corrupt ones.
    fn check(
        &mut self,
        outcome: Result<(), DecodeError>,
        message: &mut Assembly,
        limit: usize,
    ) -> Result<(), DecodeError> {
        if outcome == Err(DecodeError::CorruptDeflate) {
            self.move_into(message, limit)?;
        }
        outcome
    }

    fn move_into(&mut self, message: &mut Assembly, limit: usize) -> Result<(), DecodeError> {
        let content = self.content(message, limit)?;
        message.push(content, Expected { rest: None, limit })?;
        self.filled = 0;
        Ok(())
    }

    fn finish(&self, mut message: Assembly, limit: usize) -> Result<Message, DecodeError> {
        let content = self.content(&mut message, limit)?;
        message.finish(content)
    }
}

/// Makes `bytes` precede the bytes that are decompressed next.
fn refer_to(state: &mut Decompress, bytes: &[u8]) {
    if !bytes.is_empty() {
        // It fails only for streams with a zlib header.
        let _ = state.set_dictionary(last(bytes, WindowBits::MAX.size()));
    }
}
