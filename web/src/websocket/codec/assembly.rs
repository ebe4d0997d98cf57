//! A message that arrives in pieces.

use bytes::Bytes;

use super::error::DecodeError;
use super::utf8::PartialText;
use crate::types::text::Text;
use crate::websocket::message::{Message, MessageKind};

/// How much memory a message gets at first, however long its frame is said to be. A peer that
/// announces much and sends little should cost little.
const FIRST_ROOM: usize = 4 * 1024;

/// How much memory it gets next. After that, the memory doubles.
const SECOND_ROOM: usize = 64 * 1024;

/// The part of a message that has arrived.
#[derive(Debug)]
pub(super) enum Assembly {
    Text(PartialText),
    Binary(Vec<u8>),
}

/// How long a message may still become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The bytes that follow the current piece, if their number is known.
    pub(super) rest: Option<usize>,
    /// The longest that the message may become.
    pub(super) limit: usize,
}

impl Assembly {
    pub(super) fn new(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text(PartialText::default()),
            MessageKind::Binary => Self::Binary(Vec::new()),
        }
    }

    /// How many bytes have arrived.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// The bytes that have arrived, in two parts.
    pub(super) fn bytes(&self) -> [&[u8]; 2] {
        match self {
            Self::Text(text) => text.bytes(),
            Self::Binary(bytes) => [bytes, &[]],
        }
    }

    /// Appends `piece`.
    ///
    /// # Errors
    ///
    /// As soon as a text cannot be UTF-8.
    pub(super) fn push(&mut self, piece: &[u8], expected: Expected) -> Result<(), DecodeError> {
        if piece.is_empty() {
            return Ok(());
        }
        match self {
            Self::Text(text) => {
                let string = text.text_mut();
                let more = expected.room(string.len(), string.capacity(), piece.len());
                string.reserve_exact(more);
                text.push(piece)
            }
            Self::Binary(bytes) => {
                bytes.reserve_exact(expected.room(bytes.len(), bytes.capacity(), piece.len()));
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Appends `last`, and returns the message. A message of one piece is copied once, into memory
    /// of its own length.
    ///
    /// # Errors
    ///
    /// If a text is not UTF-8.
    pub(super) fn finish(mut self, last: &[u8]) -> Result<Message, DecodeError> {
        if self.len() == 0 {
            return whole(&self, last);
        }
        self.push(last, Expected { rest: Some(0), limit: usize::MAX })?;
        Ok(match self {
            Self::Text(text) => Message::Text(text.finish()?.into()),
            Self::Binary(bytes) => Message::Binary(bytes.into()),
        })
    }

    /// Memory for the next bytes of a binary message of which `left` follow in the current frame:
    /// there is room for at least one byte, and for at most `left`.
    pub(super) fn direct_room(&mut self, left: usize, limit: usize) -> Option<&mut Vec<u8>> {
        let Self::Binary(bytes) = self else { return None };
        let rest = left.checked_sub(1)?;
        let expected = Expected { rest: Some(rest), limit };
        bytes.reserve_exact(expected.room(bytes.len(), bytes.capacity(), 1));
        // The allocator may give more than was asked for. The bytes behind those of the frame do
        // not belong to the message.
        let room = bytes.capacity() - bytes.len();
        (room <= left).then_some(bytes)
    }
}

fn whole(assembly: &Assembly, payload: &[u8]) -> Result<Message, DecodeError> {
    Ok(match assembly {
        Assembly::Text(_) => {
            let text = str::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)?;
            Message::Text(Text::copied(text))
        }
        Assembly::Binary(_) => Message::Binary(Bytes::copy_from_slice(payload)),
    })
}

impl Expected {
    /// How much memory to reserve so that `piece` more bytes fit.
    fn room(self, length: usize, capacity: usize, piece: usize) -> usize {
        let needed = length + piece;
        if needed <= capacity {
            return 0;
        }
        let room = match length {
            0 if self.rest.is_none() => needed,
            0..FIRST_ROOM => FIRST_ROOM,
            _ => SECOND_ROOM.max(2 * length),
        };
        let most = self.rest.map_or(self.limit, |rest| needed.saturating_add(rest));
        room.min(most).max(needed) - length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(rest: Option<usize>) -> Expected {
        Expected { rest, limit: 1 << 20 }
    }

    #[test]
    fn memory_grows_with_the_bytes_that_arrive_and_not_with_those_announced() {
        let mut message = Assembly::new(MessageKind::Binary);
        let capacity = |message: &Assembly| match message {
            Assembly::Binary(bytes) => bytes.capacity(),
            Assembly::Text(_) => 0,
        };
        message.push(&[0; 10], expected(Some(1 << 20))).unwrap();
        assert_eq!(capacity(&message), FIRST_ROOM);
        message.push(&[0; FIRST_ROOM], expected(Some(1 << 20))).unwrap();
        assert_eq!(capacity(&message), FIRST_ROOM + 10);
        message.push(&[0; 10], expected(Some(1 << 20))).unwrap();
        assert_eq!(capacity(&message), SECOND_ROOM);
        message.push(&[0; SECOND_ROOM], expected(Some(1 << 20))).unwrap();
        message.push(&[0; 1], expected(Some(1 << 20))).unwrap();
        assert!(capacity(&message) <= 2 * message.len());
        let mut exact = Assembly::new(MessageKind::Binary);
        exact.push(&[0; 10], expected(Some(90))).unwrap();
        assert_eq!(capacity(&exact), 100);
        let mut limited = Assembly::new(MessageKind::Binary);
        let limit = Expected { rest: None, limit: 100 };
        limited.push(&[0; 60], limit).unwrap();
        limited.push(&[0; 30], limit).unwrap();
        assert_eq!(capacity(&limited), 100);
    }

    #[test]
    fn many_small_fragments_are_not_copied_each_time() {
        let mut text = Assembly::new(MessageKind::Text);
        let mut capacities = Vec::new();
        for _ in 0..100_000 {
            text.push(b"x", expected(None)).unwrap();
            let Assembly::Text(partial) = &mut text else { unreachable!() };
            capacities.push(partial.text_mut().capacity());
        }
        capacities.dedup();
        assert!(capacities.len() < 10, "{capacities:?}");
    }

    #[test]
    fn room_for_direct_receiving_ends_with_the_frame() {
        assert!(Assembly::new(MessageKind::Text).direct_room(100_000, 1 << 20).is_none());
        let mut message = Assembly::new(MessageKind::Binary);
        assert!(message.direct_room(0, 1 << 20).is_none());
        let mut left = 300_000;
        while left > 0 {
            let buffer = message.direct_room(left, 1 << 20).unwrap();
            let room = buffer.capacity() - buffer.len();
            assert!((1..=left).contains(&room), "{room} of {left}");
            buffer.resize(buffer.len() + room, 7);
            left -= room;
        }
        let message = message.finish(b"").unwrap();
        assert_eq!(message, Message::Binary(vec![7; 300_000].into()));
    }
}
