//! The words of a page.

use std::ops::Range;

use super::histogram::BUCKETS;

/// How many pairs of method and pattern have counts of their own. All others are counted together.
pub(crate) const MAX_ROUTES: usize = 512;

/// How many series of the user's metrics there may be. Each set of labels is a series.
pub(crate) const MAX_SERIES: usize = 512;

/// The room in bytes for the names of routes, and the names and help texts of metrics.
const TEXT_BYTES: usize = 64 * 1024;

/// The room in words for the values of the user's metrics. A counter or a gauge takes one word, a
/// histogram [`HISTOGRAM_WORDS`].
const VALUES: usize = 8 * 1024;

/// The size of a page.
pub(crate) const PAGE_WORDS: usize = ROUTE_COUNTS.end;

/// The single words at the beginning of a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// The request whose handler is running: an `InFlight`.
    Serving,
    InFlight,
    Accepted,
    Connections,
    Received,
    Sent,
    /// Malformed requests that were refused.
    Refused,
    /// The requests that were lost with earlier processes: a `Lost`.
    Lost,
    /// The number of routes. Written last: a reader that sees it also sees the routes.
    Routes,
    /// The number of series. Also written last.
    Series,
    TextUsed,
    ValuesUsed,
    /// Open WebSockets.
    WebSockets,
    WebSocketsOpened,
    MessagesReceived,
    MessagesSent,
    MessageBytesReceived,
    MessageBytesSent,
    /// Patterns with subscribers, subscriptions, and messages in their queues.
    TopicPatterns,
    TopicSubscriptions,
    TopicQueued,
    TopicPublished,
    TopicDelivered,
    TopicLost,
}

const FIRST: usize = 32;

/// The location of the name of each route.
pub(super) const ROUTE_NAMES: Range<usize> = area(FIRST, MAX_ROUTES);
/// Four words for each series: the locations of the name and the help text, the kind, and the
/// offset of the value.
pub(super) const SERIES: Range<usize> = area(ROUTE_NAMES.end, MAX_SERIES * SERIES_WORDS);
pub(super) const SERIES_WORDS: usize = 4;
pub(super) const TEXTS: Range<usize> = area(SERIES.end, TEXT_BYTES / 8);
pub(super) const VALUE_WORDS: Range<usize> = area(TEXTS.end, VALUES);
/// The counts of each route: requests by status, and a histogram of their durations.
pub(super) const ROUTE_COUNTS: Range<usize> = area(VALUE_WORDS.end, MAX_ROUTES * ROUTE_WORDS);
pub(super) const ROUTE_WORDS: usize = 128;

/// The counters of a route by the first digit of the status. The first is for requests without a
/// complete response, the last for clients that disconnected.
pub(super) const STATUS_WORDS: usize = 11;

/// The classes of status that readers see. They count 6xx to 9xx as server errors. The first and
/// the last class are those of [`STATUS_WORDS`].
pub(crate) const CLASSES: usize = 7;

/// A histogram: the buckets, the sum, the maximum.
pub(super) const HISTOGRAM_WORDS: usize = BUCKETS + 2;

const fn area(start: usize, len: usize) -> Range<usize> {
    Range { start, end: start + len }
}

const _: () = assert!(STATUS_WORDS + HISTOGRAM_WORDS <= ROUTE_WORDS);
const _: () = assert!((Word::TopicLost as usize) < FIRST);
