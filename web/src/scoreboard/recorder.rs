//! What the connections of a server count with, in the process that serves them.

use std::cell::Cell;

use squall_runtime::process::SlotPage;
use squall_runtime::{IOLoop, Polled};

use crate::http::Method;

use super::own::{self, Own};
use super::served::Served;
use super::{Ending, Page};

/// The methods that are told apart, and what stands for all others.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"];

const UNKNOWN: u16 = u16::MAX;

thread_local! {
    /// The requests that have ended and whose responses are not being sent yet. They are counted
    /// when they are, or when their task gives the loop back: the clock is read once for all of
    /// them. Until then they are in flight, so that a worker's sudden end takes with it what its
    /// clients have not been sent, and nothing else.
    static ENDED: Batch = const { Batch::new() };
}

#[derive(Clone, Copy)]
struct Ended {
    page: Page,
    row: u16,
    ending: Ending,
    began: u64,
}

/// How many requests may have ended before the clock is read for them.
const BATCH: usize = 16;

/// A few requests. It needs no destructor, which makes it cheap to come by.
struct Batch {
    ended: [Cell<Option<Ended>>; BATCH],
    len: Cell<usize>,
}

impl Batch {
    const fn new() -> Self {
        Self { ended: [const { Cell::new(None) }; BATCH], len: Cell::new(0) }
    }

    #[inline]
    fn push(&self, new: Ended) {
        if self.len.get() == BATCH {
            self.count(IOLoop::present_nanos());
        }
        if let Some(place) = self.ended.get(self.len.get()) {
            place.set(Some(new));
            self.len.set(self.len.get() + 1);
        }
    }

    fn iter(&self) -> impl Iterator<Item = Ended> {
        self.ended.iter().take(self.len.get()).filter_map(Cell::get)
    }

    /// They have taken until `now`.
    #[inline]
    fn count(&self, now: u64) {
        for Ended { page, row, ending, began } in self.iter() {
            page.end(row, ending, now.saturating_sub(began));
        }
        self.len.set(0);
    }
}

/// Writes the page of a worker.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) page: Page,
    slot: Option<SlotPage>,
    /// The row of each method of each route, and before them, of none. `UNKNOWN` until the first
    /// request.
    rows: Box<[Cell<u16>]>,
}

impl Recorder {
    /// One that counts for the server, which has so many routes.
    pub(crate) fn new(routes: usize) -> Self {
        Self::with(own::own(), routes)
    }

    /// One whose counts nobody reads.
    pub(crate) fn apart(routes: usize) -> Self {
        let own = own::apart();
        own.enter();
        Self::with(own, routes)
    }

    fn with(Own { slot, page, .. }: Own, routes: usize) -> Self {
        let rows = vec![Cell::new(UNKNOWN); (routes + 1) * METHODS.len()];
        Self { page, slot, rows: rows.into() }
    }

    /// A request has begun, which `route` answers, if one does; `pattern` is the text of that.
    #[inline]
    pub(crate) fn begin<'a>(
        &self,
        route: Option<usize>,
        method: &Method,
        pattern: impl FnOnce() -> &'a str,
    ) -> Served {
        self.page.begin();
        let method = code(method);
        let index = route.map_or(0, |route| route + 1) * METHODS.len() + method;
        let row = match self.rows.get(index) {
            Some(row) if row.get() != UNKNOWN => row.get(),
            _ => self.find_row(index, METHODS[method], pattern()),
        };
        Served::new(row, self.slot.as_ref().and_then(SlotPage::turn).unwrap_or(0))
    }

    #[cold]
    fn find_row(&self, index: usize, method: &str, pattern: &str) -> u16 {
        let row = self.page.route(method, pattern);
        if let Some(known) = self.rows.get(index) {
            known.set(row);
        }
        row
    }

    /// The handler of a request is made, or runs, until [`pause`](Self::pause).
    #[inline]
    pub(crate) fn run(&self, serving: Served) {
        self.page.run(serving);
    }

    #[inline]
    pub(crate) fn pause(&self) {
        self.page.pause();
    }

    /// The handler that has run waits. If it took too long to come to that, it is named.
    #[inline]
    pub(crate) fn wait(&self) {
        IOLoop::after_poll(after_poll);
    }

    /// A connection was accepted.
    pub(crate) fn accepted(&self) {
        self.page.accepted();
        if let Some(slot) = &self.slot {
            slot.set_connections(slot.connections() + 1);
        }
    }

    /// One has ended.
    pub(crate) fn closed(&self) {
        self.page.closed();
        if let Some(slot) = &self.slot {
            slot.set_connections(slot.connections().saturating_sub(1));
        }
    }

    /// A request is over whose head was complete at `began`. It is counted at the next
    /// [lap](IOLoop::lap), or when its task gives the loop back.
    #[inline]
    pub(crate) fn end(&self, serving: Served, began: u64, ending: Ending) {
        // If making the handler has panicked, it was never polled.
        self.page.pause();
        let (page, row) = (self.page, serving.row());
        ENDED.with(|ended| ended.push(Ended { page, row, ending, began }));
        IOLoop::after_poll(after_poll);
    }
}

fn code(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::CONNECT => 5,
        Method::OPTIONS => 6,
        Method::TRACE => 7,
        Method::PATCH => 8,
        _ => METHODS.len() - 1,
    }
}

/// Counts the requests that have ended; and says which they were, for the log.
fn after_poll(polled: &Polled) -> Option<String> {
    let busy = if polled.is_slow { name_requests() } else { None };
    ENDED.with(|ended| ended.count(polled.ended));
    busy
}

/// The routes of what was served in this call of a task.
#[cold]
fn name_requests() -> Option<String> {
    let page = own::existing()?;
    let mut rows: Vec<_> = ENDED.with(|ended| ended.iter().map(|one| one.row).collect());
    // One that waits has not ended.
    rows.extend(page.last_served().map(Served::row));
    rows.dedup();
    let names: Vec<_> = rows.into_iter().filter_map(|row| page.route_name(row)).collect();
    Some(format!("serving {}", names.join(", ")))
}
