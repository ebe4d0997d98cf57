//! What the connections of a server count with, in the process that serves them.

use std::cell::Cell;
use std::time::Duration;

use squall_runtime::process::SlotPage;
use squall_runtime::{IOLoop, Polled};

use crate::http::Method;

use super::own::{self, Own};
use super::served::Served;
use super::{Ending, Page};

/// The methods that are told apart, and what stands for all others: in the order in which `http`
/// numbers them, so that nothing has to be looked up.
const METHODS: [&str; 10] =
    ["OPTIONS", "GET", "POST", "PUT", "DELETE", "HEAD", "TRACE", "CONNECT", "PATCH", "_OTHER"];

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
    began: u64,
    served: Served,
    page: Page,
    ending: Ending,
}

impl Ended {
    #[inline]
    fn count(self, now: u64) {
        self.page.end(self.served.row(), self.ending, now.saturating_sub(self.began));
    }
}

/// How many requests may have ended before the clock is read for them.
const BATCH: usize = 16;

/// A few requests; mostly one. It needs no destructor, which makes it cheap to come by.
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
            self.make_room();
        }
        let len = self.len.get();
        self.ended[len % BATCH].set(Some(new));
        self.len.set(len + 1);
    }

    #[cold]
    #[inline(never)]
    fn make_room(&self) {
        self.count(IOLoop::present_nanos());
    }

    fn iter(&self) -> impl Iterator<Item = Ended> {
        self.ended.iter().take(self.len.get()).filter_map(Cell::get)
    }

    /// They have taken until `now`.
    fn count(&self, now: u64) {
        self.iter().for_each(|one| one.count(now));
        self.len.set(0);
    }

    /// The only one there is, if it is so.
    #[inline]
    fn take_only(&self) -> Option<Ended> {
        if self.len.get() != 1 {
            return None;
        }
        self.len.set(0);
        self.ended[0].get()
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
    /// What is added to a time of the loop to make it one of the scoreboard.
    offset: u64,
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
        let now = Duration::from_millis(SlotPage::now()).as_nanos() as u64;
        let offset = now.wrapping_sub(IOLoop::present_nanos());
        Self { page, slot, rows: rows.into(), offset }
    }

    /// A request has begun whose head was complete at `began`, and which `route` answers, if one
    /// does; `pattern` is the text of that.
    #[inline]
    pub(crate) fn begin<'a>(
        &self,
        began: u64,
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
        Served::new(row, began.wrapping_add(self.offset))
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
    pub(crate) fn end(&self, served: Served, began: u64, ending: Ending) {
        let page = self.page;
        ENDED.with(|ended| ended.push(Ended { began, served, page, ending }));
        IOLoop::after_poll(after_poll);
    }
}

fn code(method: &Method) -> usize {
    match *method {
        Method::OPTIONS => 0,
        Method::GET => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        Method::HEAD => 5,
        Method::TRACE => 6,
        Method::CONNECT => 7,
        Method::PATCH => 8,
        _ => METHODS.len() - 1,
    }
}

/// Counts the requests that have ended; and says which they were, for the log.
fn after_poll(polled: Polled) -> Option<Box<str>> {
    if !polled.is_slow
        && let Some(one) = ENDED.with(Batch::take_only)
    {
        one.count(polled.ended);
        return None;
    }
    after_much(polled)
}

#[inline(never)]
fn after_much(polled: Polled) -> Option<Box<str>> {
    let busy = if polled.is_slow { name_requests() } else { None };
    ENDED.with(|ended| ended.count(polled.ended));
    busy
}

/// The routes of what was served in this call of a task.
#[cold]
fn name_requests() -> Option<Box<str>> {
    let page = own::existing()?;
    let mut rows: Vec<_> = ENDED.with(|ended| ended.iter().map(|one| one.served.row()).collect());
    // One that waits has not ended.
    rows.extend(page.last_served().map(Served::row));
    rows.dedup();
    let names: Vec<_> = rows.into_iter().filter_map(|row| page.route_name(row)).collect();
    Some(format!("serving {}", names.join(", ")).into())
}
