//! Pages as they are read, by any process.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::histogram::{BUCKETS, Counts};
use super::layout::{CLASSES, HISTOGRAM_WORDS, HUNDREDS, MAX_ROUTES, ROUTE_NAMES, TEXTS, Word};
use super::lost::Lost;
use super::series::{Description, Kind, Values};
use super::served::Served;
use super::texts::{self, Place};
use super::{Page, entries, times};

/// What a page says at one moment. Its counts are each exact, though not all of the same
/// nanosecond: the worker goes on.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) serving: Option<Served>,
    pub(crate) in_flight: u64,
    pub(crate) accepted: u64,
    pub(crate) connections: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) lost: Lost,
    pub(crate) websockets: WebSockets,
    pub(crate) routes: Vec<RouteReading>,
    pub(crate) series: Vec<SeriesReading>,
}

/// Counts of WebSockets and of their messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WebSockets {
    pub(crate) open: u64,
    pub(crate) opened: u64,
    pub(crate) messages_received: u64,
    pub(crate) messages_sent: u64,
    /// Of messages, without frames and decompressed.
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
}

impl WebSockets {
    /// Adds the counts of another page. Its process is alive or has ended.
    pub(crate) fn add(&mut self, other: &Self, is_alive: bool) {
        if is_alive {
            self.open += other.open;
        }
        self.opened += other.opened;
        self.messages_received += other.messages_received;
        self.messages_sent += other.messages_sent;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
    }
}

/// The requests of one method to one pattern.
#[derive(Clone, Debug)]
pub(crate) struct RouteReading {
    pub(crate) name: RouteName,
    /// By class of status; the first are those that were not answered to the end.
    pub(crate) classes: [u64; CLASSES],
    pub(crate) times: Counts,
}

/// A method and a pattern. Both may be "": where requests of several are counted together there
/// is no method, and where no route matched, no pattern.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RouteName {
    pub(crate) route: String,
    pub(crate) method: String,
}

impl RouteName {
    fn split(name: &str) -> Self {
        let (method, route) = name.split_once(' ').unwrap_or((name, ""));
        Self { route: route.to_owned(), method: method.to_owned() }
    }
}

impl RouteReading {
    pub(crate) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

/// A series, and its value.
#[derive(Clone, Debug)]
pub(crate) struct SeriesReading {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Box<Counts>),
}

impl Page {
    /// Reads all of the page.
    pub(crate) fn read(self) -> Reading {
        let word = |word| self.word(word).load(Relaxed);
        let rows = entries(self.word(Word::Routes), MAX_ROUTES);
        // In this order: see `Page::enter`.
        let in_flight = self.in_flight();
        let lost = Lost::from_word(self.word(Word::Lost).load(Acquire));
        Reading {
            serving: self.serving(),
            in_flight,
            lost,
            accepted: word(Word::Accepted),
            connections: word(Word::Connections),
            received: word(Word::Received),
            sent: word(Word::Sent),
            refused: word(Word::Refused),
            websockets: WebSockets {
                open: word(Word::WebSockets),
                opened: word(Word::WebSocketsOpened),
                messages_received: word(Word::MessagesReceived),
                messages_sent: word(Word::MessagesSent),
                bytes_received: word(Word::MessageBytesReceived),
                bytes_sent: word(Word::MessageBytesSent),
            },
            routes: (0..rows as u16).map(|row| self.read_route(row)).collect(),
            series: self.each_series().map(read_series).collect(),
        }
    }

    /// The request whose handler runs.
    pub(crate) fn serving(self) -> Option<Served> {
        Served::running(self.word(Word::Serving).load(Relaxed))
    }

    /// The request whose handler ran last. `None`: none ever did.
    pub(super) fn last_served(self) -> Option<Served> {
        Some(self.word(Word::Serving).load(Relaxed)).filter(|&word| word != 0).map(Served::last)
    }

    /// How many requests have begun and not ended.
    pub(crate) fn in_flight(self) -> u64 {
        self.word(Word::InFlight).load(Acquire)
    }

    /// The name of a row, `GET /users/{id}`.
    pub(crate) fn route_name(self, row: u16) -> Option<String> {
        let used = entries(self.word(Word::Routes), MAX_ROUTES);
        let names = &self.0[ROUTE_NAMES][..used];
        let place = Place::from_word(names.get(usize::from(row))?.load(Relaxed));
        Some(texts::read(&self.0[TEXTS], place))
    }

    fn read_route(self, row: u16) -> RouteReading {
        let name = RouteName::split(&self.route_name(row).unwrap_or_default());
        let row = self.row(row);
        let mut classes = [0_u64; CLASSES];
        for (hundreds, count) in row[..HUNDREDS].iter().enumerate() {
            let class = &mut classes[match hundreds == HUNDREDS - 1 {
                true => CLASSES - 1,
                false => hundreds.min(CLASSES - 2),
            }];
            *class = class.wrapping_add(count.load(Relaxed));
        }
        RouteReading { name, classes, times: read_histogram(times(row)) }
    }
}

fn read_series((description, values): (Description, Values)) -> SeriesReading {
    let Description { kind, name, help } = description;
    let value = match kind {
        Kind::Counter => Value::Counter(values.first()),
        Kind::Gauge => Value::Gauge(f64::from_bits(values.first())),
        Kind::Histogram => Value::Histogram(Box::new(read_histogram(values.words()))),
    };
    SeriesReading { name, help, value }
}

fn read_histogram(words: &[AtomicU64]) -> Counts {
    let mut counts = Counts::new();
    let Some([buckets @ .., sum, longest]) = words.first_chunk::<HISTOGRAM_WORDS>() else {
        return counts;
    };
    let buckets: &[AtomicU64; BUCKETS] = buckets;
    counts.buckets = std::array::from_fn(|bucket| buckets[bucket].load(Relaxed));
    counts.sum_nanos = sum.load(Relaxed);
    counts.max_nanos = longest.load(Relaxed);
    counts
}
