//! [`Recorder`]: counts the connections and requests of a server in the page of this thread.

use std::cell::Cell;
use std::time::Duration;

use squall_runtime::process::SlotPage;
use squall_runtime::{IOLoop, Polled};

use crate::http::Method;

use super::in_flight::InFlight;
use super::page_of_thread::{self, ThreadPage};
use super::{Ending, Page};

/// The methods with counts of their own, and the name for all others. [`method_index`] has the same
/// order, which is the order of the variants in `http`, so the compiler needs no table.
const METHODS: [&str; 10] =
    ["OPTIONS", "GET", "POST", "PUT", "DELETE", "HEAD", "TRACE", "CONNECT", "PATCH", "_OTHER"];

const UNKNOWN: u16 = u16::MAX;

thread_local! {
    /// Requests that have ended, and whose responses have not been sent yet. They are counted with
    /// one reading of the clock when the responses are about to be sent, or when their task yields.
    /// Until then they are in flight. So if the worker is killed, exactly those requests are lost
    /// whose responses it has not sent.
    static ENDED: EndedRequests = const { EndedRequests::new() };
}

#[derive(Clone, Copy)]
struct EndedRequest {
    began: u64,
    request: InFlight,
    page: Page,
    ending: Ending,
}

impl EndedRequest {
    #[inline]
    fn count(self, now: u64) {
        self.page.end(self.request.series(), self.ending, now.saturating_sub(self.began));
    }
}

/// How many requests can end before the clock is read for them.
const MAX_ENDED: usize = 16;

/// A few requests, usually one. A thread-local without a destructor is cheaper to access.
struct EndedRequests {
    ended: [Cell<Option<EndedRequest>>; MAX_ENDED],
    len: Cell<usize>,
}

impl EndedRequests {
    const fn new() -> Self {
        Self { ended: [const { Cell::new(None) }; MAX_ENDED], len: Cell::new(0) }
    }

    #[inline]
    fn push(&self, new: EndedRequest) {
        if self.len.get() == MAX_ENDED {
            self.count(IOLoop::present_nanos());
        }
        let len = self.len.get();
        self.ended[len % MAX_ENDED].set(Some(new));
        self.len.set(len + 1);
    }

    fn iter(&self) -> impl Iterator<Item = EndedRequest> {
        self.ended.iter().take(self.len.get()).filter_map(Cell::get)
    }

    /// Counts all requests, which end at `now`.
    fn count(&self, now: u64) {
        self.iter().for_each(|one| one.count(now));
        self.len.set(0);
    }

    /// Removes and returns the request if there is exactly one.
    #[inline]
    fn take_only(&self) -> Option<EndedRequest> {
        if self.len.get() != 1 {
            return None;
        }
        self.len.set(0);
        self.ended[0].get()
    }
}

/// Writes the page of this thread for one server.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) page: Page,
    slot: Option<SlotPage>,
    /// The series of each method without a route, then of each method of each route. `UNKNOWN`
    /// until the first such request.
    series: Box<[Cell<u16>]>,
    /// Converts a time of the loop to a time of the scoreboard when added.
    offset: u64,
}

impl Recorder {
    /// Counts for a server whose route table has `routes` rows.
    pub(crate) fn new(routes: usize) -> Self {
        Self::with(page_of_thread::page_of_thread(), routes)
    }

    /// Counts in a private page, which no reader sees.
    pub(crate) fn private(routes: usize) -> Self {
        let page = page_of_thread::private();
        page.enter();
        Self::with(page, routes)
    }

    fn with(ThreadPage { slot, page, .. }: ThreadPage, routes: usize) -> Self {
        let series = vec![Cell::new(UNKNOWN); (routes + 1) * METHODS.len()];
        let now = Duration::from_millis(SlotPage::now()).as_nanos() as u64;
        let offset = now.wrapping_sub(IOLoop::present_nanos());
        Self { page, slot, series: series.into(), offset }
    }

    /// Counts a new request, whose head was complete at `began`. `route` is the matching row of the
    /// route table, if there is one, and `pattern` its pattern.
    #[inline]
    pub(crate) fn begin<'a>(
        &self,
        began: u64,
        route: Option<usize>,
        method: &Method,
        pattern: impl FnOnce() -> &'a str,
    ) -> InFlight {
        self.page.begin();
        let method = method_index(method);
        let index = route.map_or(0, |route| route + 1) * METHODS.len() + method;
        let series = match self.series.get(index) {
            Some(series) if series.get() != UNKNOWN => series.get(),
            _ => self.find_series(index, METHODS[method], pattern()),
        };
        InFlight::new(series, began.wrapping_add(self.offset))
    }

    fn find_series(&self, index: usize, method: &str, pattern: &str) -> u16 {
        let series = self.page.route(method, pattern);
        if let Some(known) = self.series.get(index) {
            known.set(series);
        }
        series
    }

    /// Notes that the handler of `request` runs, until [`pause`](Self::pause).
    #[inline]
    pub(crate) fn run(&self, request: InFlight) {
        self.page.run(request);
    }

    /// Notes that the handler waits or has ended.
    #[inline]
    pub(crate) fn pause(&self) {
        self.page.pause();
    }

    /// Names the handler in the log if it blocked the loop before it began to wait.
    #[inline]
    pub(crate) fn wait(&self) {
        IOLoop::after_poll(after_poll);
    }

    /// Counts an accepted connection.
    pub(crate) fn accepted(&self) {
        self.page.accepted();
        if let Some(slot) = &self.slot {
            slot.set_connections(slot.connections() + 1);
        }
    }

    /// Counts the end of a connection.
    pub(crate) fn closed(&self) {
        self.page.closed();
        if let Some(slot) = &self.slot {
            slot.set_connections(slot.connections().saturating_sub(1));
        }
    }

    /// Ends a request, whose head was complete at `began`. It is counted at the next
    /// [lap](IOLoop::lap), or when its task yields.
    #[inline]
    pub(crate) fn end(&self, request: InFlight, began: u64, ending: Ending) {
        let page = self.page;
        ENDED.with(|ended| ended.push(EndedRequest { began, request, page, ending }));
        IOLoop::after_poll(after_poll);
    }
}

/// Returns the index of `method` in [`METHODS`].
fn method_index(method: &Method) -> usize {
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

/// Counts the requests that have ended. If the task blocked the loop, returns their routes for the
/// log.
fn after_poll(polled: Polled) -> Option<Box<str>> {
    if !polled.is_slow
        && let Some(one) = ENDED.with(EndedRequests::take_only)
    {
        one.count(polled.ended);
        return None;
    }
    let names = if polled.is_slow { name_requests() } else { None };
    ENDED.with(|ended| ended.count(polled.ended));
    names
}

/// Returns the routes that the task served in this poll, for the log.
fn name_requests() -> Option<Box<str>> {
    let page = page_of_thread::existing()?;
    let mut series: Vec<_> =
        ENDED.with(|ended| ended.iter().map(|one| one.request.series()).collect());
    // A request that waits has not ended.
    series.extend(page.last_served().map(InFlight::series));
    series.dedup();
    let names: Vec<_> = series.into_iter().filter_map(|one| page.route_name(one)).collect();
    Some(format!("serving {}", names.join(", ")).into())
}
