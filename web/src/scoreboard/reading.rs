//! Reads a page, in any process.

use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Duration;

use squall_runtime::process::SlotPage;

use super::histogram::{BUCKETS, Counts};
use super::in_flight::{InFlight, Lost};
use super::layout::{CLASSES, HISTOGRAM_WORDS, MAX_ROUTES, ROUTE_NAMES, STATUS_WORDS, TEXTS, Word};
use super::series::{Description, MetricKind, Values};
use super::texts::{self, TextLocation};
use super::{Page, entries, times};

/// The content of a page. Each count is exact, but the worker goes on counting while it is read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(super) serving: Option<InFlight>,
    pub(super) lost: Lost,
    /// Without the requests in flight of a dead process.
    pub(super) totals: Totals,
    pub(super) routes: Vec<(RouteName, Requests)>,
    pub(super) series: Vec<SeriesReading>,
}

/// The single counts of a page, or of all pages of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) in_flight: u64,
    pub(crate) accepted: u64,
    pub(crate) connections: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    /// Requests whose worker ended before they had a response.
    pub(crate) lost: u64,
    pub(crate) websockets: WebSockets,
    pub(crate) topics: Topics,
}

/// Counts of topics: of the subscriptions of each worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Topics {
    /// Patterns with subscriptions, counted once for each worker.
    pub(crate) patterns: u64,
    pub(crate) subscriptions: u64,
    /// Messages in the queues of subscriptions.
    pub(crate) queued: u64,
    pub(crate) published: u64,
    /// Messages times the subscriptions that they were for.
    pub(crate) delivered: u64,
    /// Messages that subscriptions have lost.
    pub(crate) lost: u64,
}

/// Counts of WebSockets and of their messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WebSockets {
    pub(crate) open: u64,
    pub(crate) opened: u64,
    pub(crate) messages_received: u64,
    pub(crate) messages_sent: u64,
    /// Bytes of messages, without frames and after decompression.
    pub(crate) bytes_received: u64,
    /// Bytes of messages, without frames and before compression.
    pub(crate) bytes_sent: u64,
}

/// A method and a pattern. The method is "" where routes are counted together, and the pattern is
/// "" where no route matched.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct RouteName {
    pub(crate) route: String,
    pub(crate) method: String,
}

/// Requests that are counted together.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    /// By class of status. The first is for requests without a complete response.
    pub(crate) classes: [u64; CLASSES],
    pub(crate) times: Counts,
}

/// A series of the user's metrics, and its value.
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

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.accepted += other.accepted;
        self.connections += other.connections;
        self.received += other.received;
        self.sent += other.sent;
        self.refused += other.refused;
        self.lost += other.lost;
        self.websockets.add(&other.websockets);
        self.topics.add(&other.topics);
    }
}

impl WebSockets {
    fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.opened += other.opened;
        self.messages_received += other.messages_received;
        self.messages_sent += other.messages_sent;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
    }
}

impl Topics {
    fn add(&mut self, other: &Self) {
        self.patterns += other.patterns;
        self.subscriptions += other.subscriptions;
        self.queued += other.queued;
        self.published += other.published;
        self.delivered += other.delivered;
        self.lost = self.lost.saturating_add(other.lost);
    }

    /// Ends what describes a state, because the process has ended.
    pub(super) fn end_process(&mut self) {
        (self.patterns, self.subscriptions, self.queued) = (0, 0, 0);
    }
}

impl RouteName {
    fn split(name: &str) -> Self {
        let (method, route) = name.split_once(' ').unwrap_or((name, ""));
        Self { route: route.to_owned(), method: method.to_owned() }
    }
}

impl Requests {
    pub(super) fn none() -> Self {
        Self { classes: [0; CLASSES], times: Counts::new() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.classes.iter_mut().zip(other.classes).for_each(|(sum, count)| *sum += count);
        self.times.add(&other.times);
    }

    pub(crate) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

impl Page {
    /// Reads the whole page.
    pub(crate) fn read(self) -> Reading {
        let word = |word| self.word(word).load(Relaxed);
        let routes = entries(self.word(Word::Routes), MAX_ROUTES);
        // In this order: see `Page::enter`.
        let in_flight = self.requests_in_flight();
        let lost = Lost::from_word(self.word(Word::Lost).load(Acquire));
        Reading {
            serving: self.serving(),
            lost,
            totals: Totals {
                in_flight,
                accepted: word(Word::Accepted),
                connections: word(Word::Connections),
                received: word(Word::Received),
                sent: word(Word::Sent),
                refused: word(Word::Refused),
                lost: lost.count(),
                websockets: WebSockets {
                    open: word(Word::WebSockets),
                    opened: word(Word::WebSocketsOpened),
                    messages_received: word(Word::MessagesReceived),
                    messages_sent: word(Word::MessagesSent),
                    bytes_received: word(Word::MessageBytesReceived),
                    bytes_sent: word(Word::MessageBytesSent),
                },
                topics: Topics {
                    patterns: word(Word::TopicPatterns),
                    subscriptions: word(Word::TopicSubscriptions),
                    queued: word(Word::TopicQueued),
                    published: word(Word::TopicPublished),
                    delivered: word(Word::TopicDelivered),
                    lost: word(Word::TopicLost),
                },
            },
            routes: (0..routes as u16).map(|series| self.read_route(series)).collect(),
            series: self.each_series().map(read_series).collect(),
        }
    }

    /// Returns the request whose handler is running.
    pub(crate) fn serving(self) -> Option<InFlight> {
        InFlight::running(self.word(Word::Serving).load(Relaxed))
    }

    /// Returns the request whose handler ran last. Returns `None` if no handler has ever run.
    pub(super) fn last_served(self) -> Option<InFlight> {
        Some(self.word(Word::Serving).load(Relaxed)).filter(|&word| word != 0).map(InFlight::last)
    }

    /// Returns how many requests are in flight.
    pub(crate) fn requests_in_flight(self) -> u64 {
        self.word(Word::InFlight).load(Acquire)
    }

    /// Returns the name of a series of requests, such as `GET /users/{id}`.
    pub(crate) fn route_name(self, series: u16) -> Option<String> {
        let used = entries(self.word(Word::Routes), MAX_ROUTES);
        let names = &self.0[ROUTE_NAMES][..used];
        let location = TextLocation::from_word(names.get(usize::from(series))?.load(Relaxed));
        Some(texts::read(&self.0[TEXTS], location))
    }

    fn read_route(self, series: u16) -> (RouteName, Requests) {
        let name = RouteName::split(&self.route_name(series).unwrap_or_default());
        let counts = self.route_counts(series);
        let mut classes = [0_u64; CLASSES];
        for (digit, count) in counts[..STATUS_WORDS].iter().enumerate() {
            let class = &mut classes[match digit == STATUS_WORDS - 1 {
                true => CLASSES - 1,
                false => digit.min(CLASSES - 2),
            }];
            *class = class.wrapping_add(count.load(Relaxed));
        }
        (name, Requests { classes, times: read_histogram(times(counts)) })
    }

    /// See [`describe`].
    fn describe(self, now_ms: u64) -> Option<String> {
        let in_flight = self.requests_in_flight();
        let Some(serving) = self.serving() else {
            return match in_flight {
                0 => None,
                1 => Some("1 request, whose handler waited".to_owned()),
                more => Some(format!("{more} requests, whose handlers waited")),
            };
        };
        let name = self.route_name(serving.series()).unwrap_or_else(|| "a request".to_owned());
        let mut text = match name.split_once(' ') {
            Some((method, "")) => format!("{method} without a matching route"),
            _ => name,
        };
        let took = Duration::from_millis(now_ms.saturating_sub(serving.since_ms()));
        let _ = write!(text, " for {:.1} s", took.as_secs_f64());
        match in_flight.saturating_sub(1) {
            0 => {}
            1 => text.push_str(" (1 other request in flight)"),
            others => drop(write!(text, " ({others} other requests in flight)")),
        }
        Some(text)
    }
}

/// Describes what a worker was serving. The supervisor logs it after "while serving" when a worker
/// has died or is stuck. Returns `None` if the worker was serving nothing.
///
/// The worker may have left its page in any state.
pub(crate) fn describe(slot: &SlotPage) -> Option<String> {
    Page::new(slot.extension())?.describe(SlotPage::now())
}

fn read_series((description, values): (Description, Values)) -> SeriesReading {
    let Description { kind, name, help } = description;
    let value = match kind {
        MetricKind::Counter => Value::Counter(values.first()),
        MetricKind::Gauge => Value::Gauge(f64::from_bits(values.first())),
        MetricKind::Histogram => Value::Histogram(Box::new(read_histogram(values.words()))),
    };
    SeriesReading { name, help, value }
}

fn read_histogram(words: &[AtomicU64]) -> Counts {
    let mut counts = Counts::new();
    let Some([buckets @ .., sum, max]) = words.first_chunk::<HISTOGRAM_WORDS>() else {
        return counts;
    };
    let buckets: &[AtomicU64; BUCKETS] = buckets;
    counts.buckets = std::array::from_fn(|bucket| buckets[bucket].load(Relaxed));
    counts.sum_nanos = sum.load(Relaxed);
    counts.max_nanos = max.load(Relaxed);
    counts
}

#[cfg(test)]
mod tests {
    use super::InFlight;
    use crate::scoreboard::tests::page;

    #[test]
    fn a_running_handler_is_described_with_its_time_and_the_other_requests() {
        let page = page();
        assert_eq!(page.describe(5_000), None);
        let series = page.route("GET", "/users/{id}");
        page.begin();
        page.run(InFlight::new(series, 3_800_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "GET /users/{id} for 1.2 s");
        page.begin();
        let text = "GET /users/{id} for 1.2 s (1 other request in flight)";
        assert_eq!(page.describe(5_000).unwrap(), text);
        page.begin();
        let text = "GET /users/{id} for 1.2 s (2 other requests in flight)";
        assert_eq!(page.describe(5_000).unwrap(), text);
        page.pause();
        assert_eq!(page.describe(5_000).unwrap(), "3 requests, whose handlers waited");
    }

    #[test]
    fn a_request_without_a_route_or_a_name_is_described() {
        let page = page();
        page.begin();
        page.run(InFlight::new(page.route("POST", ""), 3_800_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "POST without a matching route for 1.2 s");
        page.run(InFlight::new(u16::MAX, 5_000_000_000));
        assert_eq!(page.describe(5_000).unwrap(), "a request for 0.0 s");
    }
}
