//! Which word of a page is what.

use std::ops::Range;

use super::histogram::BUCKETS;

/// How many routes are told apart, each method of a pattern counting as one; requests to further
/// ones are counted together.
pub(crate) const MAX_ROUTES: usize = 512;

/// How many series of the user's own there may be; a name with other labels is another one.
pub(crate) const MAX_SERIES: usize = 512;

/// How many bytes the names of routes and metrics and their help may take.
const TEXT_BYTES: usize = 64 * 1024;

/// How many words the values of the user's metrics may take: a counter or a gauge takes one, a
/// histogram [`HISTOGRAM_WORDS`].
const VALUES: usize = 8 * 1024;

/// The size of a page that is asked for.
pub(crate) const PAGE_WORDS: usize = ROWS.end;

/// The words that stand alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// What is being served: see `served`.
    Serving,
    InFlight,
    Accepted,
    Connections,
    Received,
    Sent,
    /// What was no request and was refused.
    Refused,
    /// The requests of processes that have ended meanwhile: see `lost`.
    Lost,
    /// How many rows are used. Written last, so that whoever sees it sees the rows.
    Routes,
    /// The same for series.
    Series,
    TextUsed,
    ValuesUsed,
    /// WebSockets that are open.
    WebSockets,
    WebSocketsOpened,
    MessagesReceived,
    MessagesSent,
    MessageBytesReceived,
    MessageBytesSent,
}

const FIRST: usize = 32;

/// A place of a text for each row.
pub(super) const ROUTE_NAMES: Range<usize> = area(FIRST, MAX_ROUTES);
/// Four words each: the places of the name and of the help, the kind, the place of the value.
pub(super) const SERIES: Range<usize> = area(ROUTE_NAMES.end, MAX_SERIES * SERIES_WORDS);
pub(super) const SERIES_WORDS: usize = 4;
pub(super) const TEXTS: Range<usize> = area(SERIES.end, TEXT_BYTES / 8);
pub(super) const VALUE_WORDS: Range<usize> = area(TEXTS.end, VALUES);
pub(super) const ROWS: Range<usize> = area(VALUE_WORDS.end, MAX_ROUTES * ROW_WORDS);

/// A row: requests by the hundreds of their status, and how long they took.
pub(super) const ROW_WORDS: usize = 128;
///
/// The last of these is for clients that did not wait.
pub(super) const HUNDREDS: usize = 11;
/// As they are read: 6xx to 9xx count as the server's, and the last class is for clients that did not
/// wait.
pub(crate) const CLASSES: usize = 7;

/// A histogram: the buckets, the sum, the longest.
pub(super) const HISTOGRAM_WORDS: usize = BUCKETS + 2;

const fn area(start: usize, len: usize) -> Range<usize> {
    Range { start, end: start + len }
}

const _: () = assert!(HUNDREDS + HISTOGRAM_WORDS <= ROW_WORDS);
const _: () = assert!((Word::MessageBytesSent as usize) < FIRST);
