//! [`SendBuffer`]: bytes to send.

use std::{io, mem};

use bytes::Bytes;

/// Bytes to send, in one piece.
///
/// Unlike the spare capacity of a `Vec`, the free room is initialised. So a piece whose length the
/// compiler knows is written with a few stores, and several pieces are put together in place.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    room: Vec<u8>,
    len: usize,
}

impl SendBuffer {
    /// The first allocation, in bytes: enough for an ordinary response.
    const FIRST_ROOM: usize = 512;

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns how many bytes fit into the allocated memory.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.room.len()
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.room[..self.len]
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Removes everything after the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Frees the memory. The buffer must be empty.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Appends `bytes`.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.put_together(bytes.len(), |room| room.extend(bytes));
    }

    /// Like [`extend`](Self::extend), but faster for short pieces, because it does not call the C
    /// library.
    pub(crate) fn extend_short(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len())) {
            Some(place) if bytes.len() <= 16 => copy_short(place, bytes),
            _ => return self.extend(bytes),
        }
        self.len += bytes.len();
    }

    /// Appends the bytes that `write` puts together. There must be at most `most`.
    #[inline(always)]
    pub(crate) fn put_together(&mut self, most: usize, write: impl FnOnce(&mut Room<'_>)) {
        if self.room.len() - self.len < most {
            self.grow(most);
        }
        let all = self.room.len();
        let Some(room) = self.room.get_mut(self.len..) else { return };
        let mut room = Room(room);
        write(&mut room);
        let len = all - room.0.len();
        debug_assert!(len - self.len <= most, "more bytes were written than announced");
        self.len = len;
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        let wanted = (self.len + count).max(2 * self.room.len()).max(Self::FIRST_ROOM);
        self.room.resize(wanted, 0);
    }
}

impl io::Write for SendBuffer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_short(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_short(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<SendBuffer> for Bytes {
    fn from(mut buffer: SendBuffer) -> Self {
        buffer.room.truncate(buffer.len);
        buffer.room.into()
    }
}

/// Copies at most 16 bytes into a `place` of the same length.
fn copy_short(place: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        8.. => copy_ends::<8>(place, bytes),
        4.. => copy_ends::<4>(place, bytes),
        2.. => copy_ends::<2>(place, bytes),
        _ => copy_ends::<1>(place, bytes),
    }
}

/// Copies the first and the last `N` bytes, which may overlap.
fn copy_ends<const N: usize>(place: &mut [u8], bytes: &[u8]) {
    if let (Some(place), Some(first)) = (place.first_chunk_mut::<N>(), bytes.first_chunk()) {
        *place = *first;
    }
    if let (Some(place), Some(last)) = (place.last_chunk_mut::<N>(), bytes.last_chunk()) {
        *place = *last;
    }
}

/// The remaining room of [`SendBuffer::put_together`]. A piece that does not fit is a mistake of
/// the caller and is not written. Then the room stays as it is, because it may hold bytes of an
/// earlier response.
pub(crate) struct Room<'a>(&'a mut [u8]);

impl Room<'_> {
    /// The maximum number of decimal digits of 64 bits.
    pub(crate) const DECIMAL: usize = 20;

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if bytes.len() > self.0.len() {
            return debug_assert!(false, "more bytes were written than announced");
        }
        let (place, rest) = mem::take(&mut self.0).split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        self.0 = rest;
    }

    /// Appends a piece whose length the compiler knows.
    #[inline(always)]
    pub(crate) fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.put_with(|place| *place = *bytes);
    }

    /// Lets `write` fill the next `N` bytes.
    #[inline(always)]
    pub(crate) fn put_with<const N: usize>(&mut self, write: impl FnOnce(&mut [u8; N])) {
        if N > self.0.len() {
            return debug_assert!(false, "more bytes were written than announced");
        }
        let Some((place, rest)) = mem::take(&mut self.0).split_first_chunk_mut() else { return };
        write(place);
        self.0 = rest;
    }

    /// Appends `number` in decimal digits.
    #[inline(always)]
    pub(crate) fn put_decimal(&mut self, number: u64) {
        let digit = |place: u64| b'0' + (number / place % 10) as u8;
        match number {
            0..10 => self.put(&[digit(1)]),
            10..100 => self.put(&[digit(10), digit(1)]),
            100..1_000 => self.put(&[digit(100), digit(10), digit(1)]),
            1_000..10_000 => self.put(&[digit(1_000), digit(100), digit(10), digit(1)]),
            _ => self.put_large_decimal(number),
        }
    }

    #[inline(never)]
    fn put_large_decimal(&mut self, mut number: u64) {
        let mut digits = [0; Self::DECIMAL];
        let mut first = digits.len();
        while number > 0 {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.extend(&digits[first..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_however_long_they_are() {
        let mut buffer = SendBuffer::default();
        let mut expected = Vec::new();
        for length in [0, 1, 700, 3, 5_000] {
            let piece = vec![length as u8; length];
            buffer.extend(&piece);
            buffer.put_together(5, |room| room.put(b"<>"));
            expected.extend_from_slice(&piece);
            expected.extend_from_slice(b"<>");
            assert_eq!(buffer.as_slice(), expected);
        }
        buffer.clear();
        buffer.extend(b"again");
        assert_eq!(buffer.as_slice(), b"again");
        buffer.clear();
        buffer.release();
        assert_eq!((buffer.len(), buffer.capacity()), (0, 0));
    }

    #[test]
    fn short_pieces_are_appended_like_others() {
        let all: Vec<u8> = (0..40).collect();
        for length in 0..all.len() {
            let mut buffer = SendBuffer::default();
            for _ in 0..30 {
                buffer.extend_short(&all[..length]);
            }
            assert_eq!(buffer.as_slice(), all[..length].repeat(30));
        }
    }

    #[cfg(not(debug_assertions))]
    #[test]
    fn a_piece_that_does_not_fit_does_not_reveal_old_bytes() {
        let mut buffer = SendBuffer::default();
        buffer.extend(b"of another client");
        buffer.clear();
        buffer.put_together(4, |room| {
            room.put(&[b'x'; SendBuffer::FIRST_ROOM + 1]);
            room.extend(&[b'x'; SendBuffer::FIRST_ROOM + 1]);
            room.put_with(|place| *place = [b'x'; SendBuffer::FIRST_ROOM + 1]);
            room.put(b"all");
        });
        assert_eq!(buffer.as_slice(), b"all");
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "more bytes were written than announced")]
    fn writing_more_than_announced_is_a_mistake_even_if_there_is_room() {
        let mut buffer = SendBuffer::default();
        buffer.extend(b"with room for more");
        buffer.put_together(1, |room| room.put(b"<>"));
    }

    #[test]
    fn numbers_of_any_length() {
        for number in [0, 9, 10, 99, 100, 987, 999, 1_000, 6_543, 65_536, 10_u64.pow(19), u64::MAX]
        {
            let mut buffer = SendBuffer::default();
            buffer.put_together(Room::DECIMAL, |room| room.put_decimal(number));
            assert_eq!(buffer.as_slice(), number.to_string().as_bytes());
        }
    }
}
