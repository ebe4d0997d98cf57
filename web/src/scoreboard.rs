//! Counts in shared memory: each worker writes a page, which every process of the server can read.
//!
//! A page outlives its worker, and the next worker continues its counts. Each word has one writer,
//! the thread of the worker, so that counting is a load and a store. ARCHITECTURE has the rules.
//!
//! # Layout
//! - [`layout`]: the words of a page;
//! - [`in_flight`]: requests in flight, and lost ones;
//! - [`recorder`]: counts for the connections of a server;
//! - [`page_of_thread`]: which page a thread writes;
//! - [`series`], [`registry`]: the user's metrics, in a page and in a thread;
//! - [`reading`], [`summary`]: one page after it was read, and all pages added up;
//! - [`histogram`], [`texts`]: durations and texts in words.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::http::StatusCode;

pub(crate) mod histogram;
pub(crate) mod in_flight;
mod layout;
pub(crate) mod page_of_thread;
pub(crate) mod reading;
pub(crate) mod recorder;
pub(crate) mod registry;
pub(crate) mod series;
pub(crate) mod summary;
mod texts;

pub(crate) use layout::{MAX_ROUTES, MAX_SERIES, PAGE_WORDS};

use in_flight::{InFlight, Lost};
use layout::{HISTOGRAM_WORDS, ROUTE_COUNTS, ROUTE_NAMES, ROUTE_WORDS, STATUS_WORDS, TEXTS, Word};
use texts::TextLocation;

/// The series of all routes that have no series of their own.
const OTHER: u16 = 0;

const OTHER_NAME: &str = " (other routes)";

/// The page of one worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page(&'static [AtomicU64; PAGE_WORDS]);

/// The counts of one route.
type RouteCounts = &'static [AtomicU64; ROUTE_WORDS];

/// How a request ended, as an index of its counter: the first digit of the status, or one of the
/// constants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ending(u8);

impl Page {
    /// Returns the page in `words`, or `None` if there are too few.
    pub(crate) fn new(words: &'static [AtomicU64]) -> Option<Self> {
        words.first_chunk().map(Self)
    }

    /// Takes over the page for the process of this generation. Keeps the counts of earlier
    /// processes, counts their requests in flight as lost, and resets everything that describes a
    /// state.
    pub(crate) fn enter(self, generation: u64) {
        let lost = Lost::from_word(self.word(Word::Lost).load(Relaxed));
        let lost = lost.add(generation, self.requests_in_flight());
        // In this order, a reader finds each request in one of the two words.
        self.word(Word::Lost).store(lost.to_word(), Release);
        self.word(Word::InFlight).store(0, Release);
        for word in [Word::Serving, Word::Connections, Word::WebSockets].into_iter().chain(TOPICS) {
            self.word(word).store(0, Relaxed);
        }
        self.reset_gauges();
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

/// What describes the state of topics.
const TOPICS: [Word; 3] = [Word::TopicPatterns, Word::TopicSubscriptions, Word::TopicQueued];

/// Topics.
impl Page {
    /// Writes how many patterns have subscriptions, and how many subscriptions there are.
    pub(crate) fn set_subscriptions(self, patterns: usize, subscriptions: usize) {
        self.word(Word::TopicPatterns).store(patterns as u64, Relaxed);
        self.word(Word::TopicSubscriptions).store(subscriptions as u64, Relaxed);
    }

    /// Writes how many messages wait in the queues of all subscriptions.
    pub(crate) fn set_queued(self, messages: u64) {
        self.word(Word::TopicQueued).store(messages, Relaxed);
    }

    pub(crate) fn topic_published(self) {
        add(self.word(Word::TopicPublished), 1);
    }

    pub(crate) fn topic_delivered(self, subscriptions: usize) {
        add(self.word(Word::TopicDelivered), subscriptions as u64);
    }

    pub(crate) fn topic_lost(self, messages: u64) {
        add(self.word(Word::TopicLost), messages);
    }
}

/// Requests.
impl Page {
    /// Returns the series of requests with `method` to the route with `pattern`, which is "" if no
    /// route matches. Searches all names, and adds a series if there is none.
    pub(crate) fn route(self, method: &str, pattern: &str) -> u16 {
        let name = format!("{method} {pattern}");
        let used = self.word(Word::Routes).load(Relaxed) as usize;
        let names = &self.0[ROUTE_NAMES];
        let found = (0..used.min(MAX_ROUTES)).find(|&series| {
            let location = TextLocation::from_word(names[series].load(Relaxed));
            texts::read(&self.0[TEXTS], location) == name
        });
        found.map(|series| series as u16).or_else(|| self.append_route(&name)).unwrap_or(OTHER)
    }

    fn append_route(self, name: &str) -> Option<u16> {
        let used = self.word(Word::Routes);
        let series = used.load(Relaxed) as usize;
        let word = self.0[ROUTE_NAMES].get(series)?;
        let location = texts::push(&self.0[TEXTS], self.word(Word::TextUsed), name)?;
        word.store(location.to_word(), Relaxed);
        used.store(series as u64 + 1, Release);
        Some(series as u16)
    }

    /// Counts a request as in flight.
    #[inline]
    pub(crate) fn begin(self) {
        add(self.word(Word::InFlight), 1);
    }

    /// Notes that the handler of `request` runs from now on.
    #[inline]
    pub(crate) fn run(self, request: InFlight) {
        self.word(Word::Serving).store(request.to_word(), Relaxed);
    }

    /// Notes that the handler waits or has ended. The word still names its request.
    #[inline]
    pub(crate) fn pause(self) {
        let word = self.word(Word::Serving);
        word.store(InFlight::paused(word.load(Relaxed)), Relaxed);
    }

    /// Ends a request in flight, which took `nanos` nanoseconds.
    #[inline]
    pub(crate) fn end(self, series: u16, ending: Ending, nanos: u64) {
        add(self.word(Word::InFlight), u64::MAX);
        let counts = self.route_counts(series);
        // The remainder shows the compiler that the index is in bounds.
        add(&counts[usize::from(ending.0) % STATUS_WORDS.next_power_of_two()], 1);
        observe(times(counts), nanos);
    }

    #[inline]
    fn route_counts(self, series: u16) -> RouteCounts {
        let (counts, _) = self.0[ROUTE_COUNTS].as_chunks();
        // The remainder shows the compiler that the index is in bounds.
        &counts[usize::from(series) % MAX_ROUTES]
    }
}

impl Ending {
    /// The client got no response, or not all of it.
    pub(crate) const INCOMPLETE: Self = Self(0);
    /// The client disconnected before the response.
    pub(crate) const DISCONNECTED: Self = Self((STATUS_WORDS - 1) as u8);

    #[inline]
    pub(crate) fn of(status: StatusCode) -> Self {
        Self((status.as_u16() / 100) as u8)
    }
}

/// Adds `count` to a word that only this thread writes.
#[inline]
fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Relaxed).wrapping_add(count), Relaxed);
}

/// Returns the histogram of the durations of a route's requests.
#[inline]
fn times(counts: RouteCounts) -> &'static [AtomicU64; HISTOGRAM_WORDS] {
    let (_, rest) = counts.split_at(STATUS_WORDS);
    rest.first_chunk().unwrap_or_else(|| unreachable!("a route has a histogram"))
}

/// Counts a duration in the words of a histogram.
#[inline]
fn observe(words: &[AtomicU64; HISTOGRAM_WORDS], nanos: u64) {
    let [buckets @ .., sum, max] = words;
    add(&buckets[histogram::bucket(nanos)], 1);
    add(sum, nanos);
    if nanos > max.load(Relaxed) {
        max.store(nanos, Relaxed);
    }
}

/// Returns how many entries of a table can be read.
fn entries(count: &AtomicU64, most: usize) -> usize {
    (count.load(Acquire) as usize).min(most)
}

#[cfg(test)]
mod tests;
