//! A log of messages in shared memory, with one writer and any number of readers that do not wait
//! for each other.
//!
//! A ring has two parts. The *index* has a record for each message: its name, and the place of its
//! payload. The other part has the payloads. Both are used in a circle. Positions count words from
//! the beginning and never return, so that a position says whether its words were overwritten.
//!
//! The writer moves the tail past the words that it will overwrite, writes, and then moves the
//! head. A reader copies the words of a record, and then looks whether the tail has passed them. A
//! writer that dies in between has published nothing of the message. The next writer continues.
//!
//! The index holds many more messages than there is room for payloads. So a reader that was
//! overtaken finds the names of the messages that it has lost, and can count them.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Words that all users of a ring see, such as shared memory.
pub(crate) trait Words: Copy {
    fn load(&self, at: usize, order: Ordering) -> u64;
    fn store(&self, at: usize, value: u64, order: Ordering);
}

impl Words for &'static [AtomicU64] {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self[at].load(order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self[at].store(value, order);
    }
}

/// The words before the index. Only the writer writes them.
mod word {
    /// The end of the last record.
    pub(super) const HEAD: usize = 0;
    /// The beginning of the first record that is not overwritten.
    pub(super) const TAIL: usize = 1;
    /// The end of the last payload.
    pub(super) const PAYLOAD_HEAD: usize = 2;
    /// The first word of payload that is not overwritten.
    pub(super) const PAYLOAD_TAIL: usize = 3;
    /// How many records there were up to the head, or one less.
    pub(super) const COUNT: usize = 4;
}

const HEAD_WORDS: usize = 8;

/// The words of a record before its name: the lengths, the place of the payload, the number.
const RECORD_WORDS: u64 = 3;

/// In the highest byte of each record.
const MARK: u64 = 0xa5;

/// The longest name in bytes.
pub(crate) const MAX_NAME: usize = 255;

/// How often a reader that was overtaken looks where the tail is.
const SKIP_ATTEMPTS: u32 = 16;

/// How many words each part has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size {
    pub(crate) index: u64,
    pub(crate) payloads: u64,
}

impl Size {
    /// All words of a ring.
    pub(crate) fn words(self) -> usize {
        HEAD_WORDS + (self.index + self.payloads) as usize
    }
}

/// A ring in its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<W> {
    words: W,
    size: Size,
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    at: u64,
    /// How many records there were before.
    count: u64,
}

impl Cursor {
    #[cfg(test)]
    pub(crate) fn at(self) -> u64 {
        self.at
    }
}

/// What a reader finds.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// A record: the name, the kind that the writer gave it, and its payload.
    Message { name: Vec<u8>, kind: u8, payload: Vec<u8> },
    /// A record whose payload was overwritten.
    Lost { name: Vec<u8> },
    /// A record whose name the reader does not want.
    Unwanted,
    /// At most that many records of any name are overwritten.
    Overtaken { count: u64 },
}

/// The meaning of a record's words.
#[derive(Clone, Copy)]
struct Record {
    name_length: usize,
    kind: u8,
    payload_length: usize,
    payload_at: u64,
    number: u64,
}

impl Record {
    fn lengths(self) -> u64 {
        let lengths = (self.name_length as u64) << 40 | self.payload_length as u64;
        MARK << 56 | u64::from(self.kind) << 48 | lengths
    }

    /// `None` for words that no writer has written.
    fn parse(lengths: u64, payload_at: u64, number: u64) -> Option<Self> {
        let record = Self {
            name_length: usize::from((lengths >> 40) as u8),
            kind: (lengths >> 48) as u8,
            payload_length: lengths as u32 as usize,
            payload_at,
            number,
        };
        (lengths >> 56 == MARK && record.lengths() == lengths).then_some(record)
    }

    fn words(self) -> u64 {
        RECORD_WORDS + words_for(self.name_length)
    }
}

fn words_for(bytes: usize) -> u64 {
    bytes.div_ceil(size_of::<u64>()) as u64
}

impl<W: Words> Ring<W> {
    /// The ring in `words`, of which there must be as many as the size says.
    pub(crate) fn new(words: W, size: Size) -> Self {
        Self { words, size }
    }

    /// Appends a message, as the only writer. It overwrites the oldest. Returns whether it fits.
    pub(crate) fn append(&self, name: &[u8], kind: u8, payload: &[u8]) -> bool {
        if name.len() > MAX_NAME || words_for(payload.len()) > self.size.payloads {
            return false;
        }
        let head = self.words.load(word::HEAD, Relaxed);
        let payload_at = self.words.load(word::PAYLOAD_HEAD, Relaxed);
        let number = self.words.load(word::COUNT, Relaxed);
        let record = Record {
            name_length: name.len(),
            kind,
            payload_length: payload.len(),
            payload_at,
            number,
        };
        let end = head.wrapping_add(record.words());
        let payload_end = payload_at.wrapping_add(words_for(payload.len()));
        self.words.store(word::TAIL, self.tail_for(head, end), Relaxed);
        let payload_tail = payload_end.saturating_sub(self.size.payloads);
        let payload_tail = payload_tail.max(self.words.load(word::PAYLOAD_TAIL, Relaxed));
        self.words.store(word::PAYLOAD_TAIL, payload_tail, Relaxed);
        // A reader that sees a word written below sees the tails written above.
        fence(Release);
        self.put_index(head, record.lengths());
        self.put_index(head.wrapping_add(1), payload_at);
        self.put_index(head.wrapping_add(2), number);
        for (offset, value) in (RECORD_WORDS..).zip(to_words(name)) {
            self.put_index(head.wrapping_add(offset), value);
        }
        for (offset, value) in (0..).zip(to_words(payload)) {
            let place = self.payload_place(payload_at.wrapping_add(offset));
            self.words.store(place, value, Relaxed);
        }
        self.words.store(word::PAYLOAD_HEAD, payload_end, Relaxed);
        self.words.store(word::HEAD, end, Release);
        self.words.store(word::COUNT, number.wrapping_add(1), Relaxed);
        true
    }

    /// Repairs what a writer has left that died. For the next writer, before it appends.
    pub(crate) fn recover(&self) {
        let head = self.words.load(word::HEAD, Acquire);
        let tail = self.words.load(word::TAIL, Relaxed);
        let mut count = self.words.load(word::COUNT, Relaxed);
        let mut at = tail;
        while at != head {
            match self.record(at) {
                Some(record) if head.wrapping_sub(at) <= self.size.index => {
                    at = at.wrapping_add(record.words());
                    count = record.number.wrapping_add(1);
                }
                // The memory is damaged, and nothing in it can be trusted.
                _ => {
                    self.words.store(word::TAIL, head, Relaxed);
                    break;
                }
            }
        }
        self.words.store(word::COUNT, count, Relaxed);
    }

    /// A cursor behind all messages so far.
    pub(crate) fn end(&self) -> Cursor {
        let count = self.words.load(word::COUNT, Acquire);
        Cursor { at: self.words.load(word::HEAD, Acquire), count }
    }

    /// Says whether there is nothing to read.
    pub(crate) fn is_at_end(&self, cursor: Cursor) -> bool {
        self.words.load(word::HEAD, Acquire) <= cursor.at
    }

    /// Reads the next record. Copies the payload if `wants` says so of the name. `None`: there is
    /// no record yet.
    pub(crate) fn read(
        &self,
        cursor: &mut Cursor,
        wants: impl FnOnce(&[u8]) -> bool,
    ) -> Option<Found> {
        let head = self.words.load(word::HEAD, Acquire);
        if head <= cursor.at {
            return None;
        }
        let record = self.record(cursor.at);
        let name = record.map(|record| {
            let first = cursor.at.wrapping_add(RECORD_WORDS);
            let words =
                (0..words_for(record.name_length)).map(|at| self.index(first.wrapping_add(at)));
            to_bytes(words, record.name_length)
        });
        // Words that were overwritten are found with the tail that was moved before.
        fence(Acquire);
        let tail = self.words.load(word::TAIL, Relaxed);
        let (Some(record), Some(name), false) = (record, name, cursor.at < tail) else {
            return Some(self.skip(cursor));
        };
        *cursor = Cursor {
            at: cursor.at.wrapping_add(record.words()),
            count: record.number.wrapping_add(1),
        };
        if !wants(&name) {
            return Some(Found::Unwanted);
        }
        let payload = self.payload(record);
        Some(match payload {
            Some(payload) => Found::Message { name, kind: record.kind, payload },
            None => Found::Lost { name },
        })
    }

    /// Goes on at the first record that is left, and counts those before.
    fn skip(&self, cursor: &mut Cursor) -> Found {
        for _ in 0..SKIP_ATTEMPTS {
            let tail = self.words.load(word::TAIL, Acquire);
            let record = self.record(tail);
            fence(Acquire);
            if self.words.load(word::TAIL, Relaxed) != tail || tail < cursor.at {
                continue;
            }
            let Some(record) = record else { break };
            let count = record.number.saturating_sub(cursor.count);
            *cursor = Cursor { at: tail, count: record.number };
            return Found::Overtaken { count };
        }
        // The memory is damaged, or the writer is too fast to find out.
        let end = self.end();
        let count = end.count.saturating_add(1).saturating_sub(cursor.count);
        *cursor = end;
        Found::Overtaken { count }
    }

    /// The payload of a record, unless it was overwritten.
    fn payload(&self, record: Record) -> Option<Vec<u8>> {
        let length = record.payload_length;
        let is_kept = || self.words.load(word::PAYLOAD_TAIL, Relaxed) <= record.payload_at;
        if !is_kept() || words_for(length) > self.size.payloads {
            return None;
        }
        let places = (0..words_for(length)).map(|at| record.payload_at.wrapping_add(at));
        let words = places.map(|at| self.words.load(self.payload_place(at), Relaxed));
        let payload = to_bytes(words, length);
        fence(Acquire);
        is_kept().then_some(payload)
    }

    /// Where the tail must be before the index is written up to `end`.
    fn tail_for(&self, head: u64, end: u64) -> u64 {
        let mut tail = self.words.load(word::TAIL, Relaxed);
        while end.wrapping_sub(tail) > self.size.index {
            match self.record(tail) {
                Some(record) if head.wrapping_sub(tail) <= self.size.index && tail != head => {
                    tail = tail.wrapping_add(record.words());
                }
                // The memory is damaged.
                _ => return head,
            }
        }
        tail
    }

    fn record(&self, at: u64) -> Option<Record> {
        let [lengths, payload_at, number] = [0, 1, 2].map(|it| self.index(at.wrapping_add(it)));
        Record::parse(lengths, payload_at, number)
    }

    fn index(&self, at: u64) -> u64 {
        self.words.load(self.index_place(at), Relaxed)
    }

    fn put_index(&self, at: u64, value: u64) {
        self.words.store(self.index_place(at), value, Relaxed);
    }

    fn index_place(&self, at: u64) -> usize {
        HEAD_WORDS + (at % self.size.index) as usize
    }

    fn payload_place(&self, at: u64) -> usize {
        HEAD_WORDS + (self.size.index + at % self.size.payloads) as usize
    }
}

fn to_words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(size_of::<u64>()).map(|chunk| {
        let mut word = [0; size_of::<u64>()];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

fn to_bytes(words: impl Iterator<Item = u64>, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length.next_multiple_of(size_of::<u64>()));
    words.for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests;
