//! What a worker writes down of its work, in memory that outlives it: one page for each worker,
//! which all processes of a server can read.
//!
//! Every word of a page has one writer, the thread of its worker, so that a count is a load and a
//! store and never lost. The worker that takes the place of one that died goes on counting where
//! that one stopped.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::http::StatusCode;

pub(crate) mod describe;
pub(crate) mod histogram;
mod layout;
pub(crate) mod lost;
pub(crate) mod own;
pub(crate) mod reading;
pub(crate) mod recorder;
pub(crate) mod registry;
pub(crate) mod series;
pub(crate) mod served;
pub(crate) mod summary;
mod texts;

pub(crate) use layout::{CLASSES, MAX_ROUTES, MAX_SERIES, PAGE_WORDS};

use layout::{HISTOGRAM_WORDS, HUNDREDS, ROUTE_NAMES, ROW_WORDS, ROWS, TEXTS, Word};
use lost::Lost;
use served::Served;
use texts::Place;

/// The row of all requests to routes that found no row.
const OTHER: u16 = 0;

/// What stands for the routes that are not told apart.
const OTHER_NAME: &str = " (other routes)";

/// The page of one worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page(&'static [AtomicU64; PAGE_WORDS]);

/// The words of a row.
type Row = &'static [AtomicU64; ROW_WORDS];

/// How a request ended: answered with a status of so many hundreds, 1 to 9.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ending(u8);

impl Page {
    /// The page in `words`; `None` if they are too few.
    pub(crate) fn new(words: &'static [AtomicU64]) -> Option<Self> {
        words.first_chunk().map(Self)
    }

    /// Begins to write, as the process of this generation: what tells of the state of one that has
    /// died is over, what it has counted is not, and what it was serving is lost.
    pub(crate) fn enter(self, generation: u64) {
        let lost = Lost::from_word(self.word(Word::Lost).load(Relaxed));
        let lost = lost.and(generation, self.in_flight());
        // In this order, so that a reader finds each request in one of them.
        self.word(Word::Lost).store(lost.to_word(), Release);
        self.word(Word::InFlight).store(0, Release);
        for word in [Word::Serving, Word::Connections, Word::WebSockets] {
            self.word(word).store(0, Relaxed);
        }
        self.end_gauges();
        if self.word(Word::Routes).load(Relaxed) == 0 {
            self.append_route(OTHER_NAME);
        }
    }

    fn word(self, word: Word) -> &'static AtomicU64 {
        &self.0[word as usize]
    }
}

/// Connections and bytes.
impl Page {
    pub(crate) fn accepted(self) {
        add(self.word(Word::Accepted), 1);
        add(self.word(Word::Connections), 1);
    }

    pub(crate) fn closed(self) {
        add(self.word(Word::Connections), u64::MAX);
    }

    pub(crate) fn received(self, bytes: usize) {
        add(self.word(Word::Received), bytes as u64);
    }

    pub(crate) fn sent(self, bytes: u64) {
        add(self.word(Word::Sent), bytes);
    }

    pub(crate) fn refused(self) {
        add(self.word(Word::Refused), 1);
    }
}

/// WebSockets.
impl Page {
    pub(crate) fn websocket_opened(self) {
        add(self.word(Word::WebSocketsOpened), 1);
        add(self.word(Word::WebSockets), 1);
    }

    pub(crate) fn websocket_ended(self) {
        add(self.word(Word::WebSockets), u64::MAX);
    }

    /// Counts a message of `bytes`, without its frame and decompressed.
    pub(crate) fn message_received(self, bytes: usize) {
        add(self.word(Word::MessagesReceived), 1);
        add(self.word(Word::MessageBytesReceived), bytes as u64);
    }

    /// Counts a message of `bytes`, without its frame and not compressed.
    pub(crate) fn message_sent(self, bytes: usize) {
        add(self.word(Word::MessagesSent), 1);
        add(self.word(Word::MessageBytesSent), bytes as u64);
    }
}

/// Requests.
impl Page {
    /// The row of requests with `method` to routes with `pattern`, which is "" where no route
    /// matches. The first time, it is given one: this is slow.
    pub(crate) fn route(self, method: &str, pattern: &str) -> u16 {
        let name = format!("{method} {pattern}");
        let used = self.word(Word::Routes).load(Relaxed) as usize;
        let names = &self.0[ROUTE_NAMES];
        let found = (0..used.min(MAX_ROUTES)).find(|&row| {
            texts::read(&self.0[TEXTS], Place::from_word(names[row].load(Relaxed))) == name
        });
        found.map(|row| row as u16).or_else(|| self.append_route(&name)).unwrap_or(OTHER)
    }

    fn append_route(self, name: &str) -> Option<u16> {
        let used = self.word(Word::Routes);
        let row = used.load(Relaxed) as usize;
        let word = self.0[ROUTE_NAMES].get(row)?;
        let place = texts::push(&self.0[TEXTS], self.word(Word::TextUsed), name)?;
        word.store(place.to_word(), Relaxed);
        used.store(row as u64 + 1, Release);
        Some(row as u16)
    }

    #[inline]
    pub(crate) fn begin(self) {
        add(self.word(Word::InFlight), 1);
    }

    /// A handler begins to run, or goes on.
    #[inline]
    pub(crate) fn run(self, serving: Served) {
        self.word(Word::Serving).store(serving.to_word(), Relaxed);
    }

    /// It waits, or is done. Which one it was can still be read.
    #[inline]
    pub(crate) fn pause(self) {
        let word = self.word(Word::Serving);
        word.store(Served::paused(word.load(Relaxed)), Relaxed);
    }

    /// A request that began is over, and has taken so long.
    #[inline]
    pub(crate) fn end(self, row: u16, ending: Ending, nanos: u64) {
        add(self.word(Word::InFlight), u64::MAX);
        let row = self.row(row);
        // So few that nothing has to be checked.
        add(&row[usize::from(ending.0) % HUNDREDS.next_power_of_two()], 1);
        observe(times(row), nanos);
    }

    /// The words of a row that there is.
    #[inline]
    fn row(self, row: u16) -> Row {
        let (rows, _) = self.0[ROWS].as_chunks();
        // What is in range already is left as it is, and nothing has to be checked.
        &rows[usize::from(row) % MAX_ROUTES]
    }
}

impl Ending {
    /// Not answered, or not to the end.
    pub(crate) const INCOMPLETE: Self = Self(0);
    /// The client did not wait for the answer.
    pub(crate) const DISCONNECTED: Self = Self((HUNDREDS - 1) as u8);

    #[inline]
    pub(crate) fn of(status: StatusCode) -> Self {
        Self((status.as_u16() / 100) as u8)
    }
}

/// Adds `count` to a word that nobody else writes.
#[inline]
fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Relaxed).wrapping_add(count), Relaxed);
}

/// The histogram of a row: how long the requests took.
#[inline]
fn times(row: Row) -> &'static [AtomicU64; HISTOGRAM_WORDS] {
    let (_, rest) = row.split_at(HUNDREDS);
    rest.first_chunk().unwrap_or_else(|| unreachable!("a row has room for one"))
}

/// Counts what took `nanos` in the words of a histogram.
#[inline]
fn observe(words: &[AtomicU64; HISTOGRAM_WORDS], nanos: u64) {
    let [buckets @ .., sum, longest] = words;
    add(&buckets[histogram::bucket(nanos)], 1);
    add(sum, nanos);
    if nanos > longest.load(Relaxed) {
        longest.store(nanos, Relaxed);
    }
}

/// How many entries of a table are there to be read.
fn entries(count: &AtomicU64, most: usize) -> usize {
    (count.load(Acquire) as usize).min(most)
}

#[cfg(test)]
mod tests;
