//! One page of the scoreboard: its words, and their writers.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::PAGE_HEAD;

/// How many nanoseconds a millisecond has.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The words of a page, by writer. [`SlotPage`] documents their meaning.
mod word {
    // The supervisor.
    pub(super) const PID: usize = 0;
    pub(super) const GENERATION: usize = 1;
    pub(super) const STARTED: usize = 2;
    pub(super) const RESTARTS: usize = 3;
    pub(super) const ORDERED: usize = 4;
    pub(super) const ADOPTER: usize = 5;
    // The worker, and the supervisor while there is none.
    pub(super) const STATE: usize = 8;
    pub(super) const TURN: usize = 9;
    pub(super) const TASK: usize = 10;
    pub(super) const CONNECTIONS: usize = 11;
    pub(super) const ADOPTS: usize = 12;
    pub(super) const RECYCLE: usize = 13;
    pub(super) const LAST: usize = 14;
    pub(super) const CANNOT_START: usize = 15;
}

/// What a worker is doing.
///
/// # Examples
///
/// See [`Scoreboard`](super::Scoreboard).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// There is no process.
    Empty,
    /// It was started, and does not serve yet.
    Starting,
    /// It serves: its loop runs, and what it listens on is accepted.
    Ready,
    /// It was asked to end, and has not begun to.
    Stopping,
    /// It accepts no more connections, and finishes what it has.
    Draining,
}

const STATES: [State; 5] =
    [State::Empty, State::Starting, State::Ready, State::Stopping, State::Draining];

/// The state of one worker: of the process that has the page now, or of the last one that had it.
///
/// # Examples
///
/// See [`Scoreboard`](super::Scoreboard).
#[derive(Clone, Copy)]
pub struct SlotPage {
    pub(super) words: &'static [AtomicU64],
    pub(super) index: usize,
    pub(super) slot: usize,
}

impl SlotPage {
    /// The number of the worker. Two pages have the same.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// The number of this page, from 0. Below [`Scoreboard::slots`](super::Scoreboard::slots) it is
    /// the first page of its slot, otherwise the second.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the worker is doing.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn state(&self) -> State {
        let state = usize::try_from(self.load(word::STATE)).ok();
        let state = state.and_then(|state| STATES.get(state)).copied().unwrap_or(State::Empty);
        if state == State::Ready && self.load(word::ORDERED) != 0 {
            return State::Stopping;
        }
        state
    }

    /// The process. `None` if there is none.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard::own_page`](super::Scoreboard::own_page).
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        u32::try_from(self.load(word::PID)).ok().filter(|&pid| pid != 0)
    }

    /// How many workers the server had started when it started this one, itself included: a
    /// number that no other process of the server has. 0 if the page was never used.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.load(word::GENERATION)
    }

    /// When the process was started, in milliseconds as [`now`](Self::now) counts them.
    ///
    /// # Examples
    ///
    /// See [`SlotPage::now`].
    #[must_use]
    pub fn started(&self) -> u64 {
        self.load(word::STARTED)
    }

    /// How many processes of this page have ended other than they should.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.load(word::RESTARTS)
    }

    /// When the turn began that the worker's loop is in, in milliseconds as [`now`](Self::now)
    /// counts them. `None` while the loop waits for something to do, or does not run.
    ///
    /// # Examples
    ///
    /// See [`SlotPage::now`].
    #[must_use]
    pub fn turn(&self) -> Option<u64> {
        // The loop writes the time as it has it.
        Some(self.load(word::TURN)).filter(|&turn| turn != 0).map(|nanos| nanos / NANOS_PER_MILLI)
    }

    /// How many connections the worker has.
    ///
    /// # Examples
    ///
    /// See [`SlotPage::set_connections`].
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.load(word::CONNECTIONS)
    }

    /// Writes how many connections the worker has. For the worker itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard};
    ///
    /// ForkOptions::new().stay()?;
    /// let page = Scoreboard::own_page().unwrap();
    /// page.set_connections(7);
    /// assert_eq!(page.connections(), 7);
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn set_connections(&self, connections: u64) {
        self.store(word::CONNECTIONS, connections);
    }

    /// The words that the upper layer asked for with
    /// [`ForkOptions::page_words`](crate::process::ForkOptions::page_words), rounded up to a
    /// multiple of
    /// 8. They begin a line of the cache, are 0 at first, and written by the worker only.
    ///
    /// # Examples
    ///
    /// See [`Scoreboard`](super::Scoreboard).
    #[must_use]
    pub fn extension(&self) -> &'static [AtomicU64] {
        &self.words[PAGE_HEAD..]
    }

    /// The time in pages, in milliseconds of `CLOCK_MONOTONIC`, which all processes of the machine
    /// share.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::process::{ForkOptions, Scoreboard, SlotPage};
    ///
    /// ForkOptions::new().stay()?;
    /// let page = Scoreboard::own_page().unwrap();
    /// assert!(page.started() <= SlotPage::now());
    /// assert_eq!(page.turn(), None, "the loop does not run");
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn now() -> u64 {
        Self::now_nanos() / NANOS_PER_MILLI
    }

    /// The time in nanoseconds.
    pub(in crate::process) fn now_nanos() -> u64 {
        // Not by `rustix`, which finds no clock under valgrind. There is no system without this
        // one, and it is never negative.
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
            now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
        })
    }

    #[inline]
    fn load(&self, word: usize) -> u64 {
        self.words[word].load(Relaxed)
    }

    #[inline]
    fn store(&self, word: usize, value: u64) {
        self.words[word].store(value, Relaxed);
    }
}

/// What the supervisor writes.
impl SlotPage {
    /// Begins a new process: the state of the one before no longer holds.
    pub(in crate::process) fn begin(&self, generation: u64) {
        self.store(word::GENERATION, generation);
        self.store(word::STARTED, Self::now());
        for word in [word::ORDERED, word::TURN, word::TASK, word::CONNECTIONS] {
            self.store(word, 0);
        }
        self.store(word::ADOPTS, 0);
        self.store(word::RECYCLE, 0);
        self.store(word::LAST, 0);
        self.store(word::CANNOT_START, 0);
        self.set_state(State::Starting);
    }

    pub(in crate::process) fn set_pid(&self, pid: Pid) {
        self.store(word::PID, pid.as_raw().unsigned_abs().into());
    }

    /// The process has ended. What it did last stays to be read.
    pub(in crate::process) fn end(&self, is_expected: bool) {
        self.store(word::PID, 0);
        if !is_expected {
            self.store(word::RESTARTS, self.restarts() + 1);
        }
        self.set_state(State::Empty);
        self.store(word::CONNECTIONS, 0);
    }

    /// Returns whether the worker can serve the slots of other workers.
    pub(in crate::process) fn adopts(&self) -> bool {
        self.load(word::ADOPTS) != 0
    }

    /// Which page's worker serves the slot of this page, the first one of its slot, in place of
    /// a worker of its own.
    pub(in crate::process) fn set_adopter(&self, page: Option<usize>) {
        self.store(word::ADOPTER, page.map_or(0, |page| page as u64 + 1));
    }

    /// The process was asked to end.
    pub(in crate::process) fn set_ordered(&self) {
        self.store(word::ORDERED, 1);
    }
}

/// What the worker writes.
impl SlotPage {
    /// Whether this is the slot of others, and to be served by the worker of page `adopter`.
    pub(in crate::process) fn is_adopted_by(&self, adopter: usize) -> bool {
        self.load(word::ADOPTER) == adopter as u64 + 1
    }

    pub(in crate::process) fn set_adopts(&self, adopts: bool) {
        self.store(word::ADOPTS, adopts.into());
    }

    /// The worker should be replaced by another one. The supervisor may say so as well.
    pub(in crate::process) fn want_replacement(&self) {
        self.store(word::RECYCLE, 1);
    }

    pub(in crate::process) fn wants_replacement(&self) -> bool {
        self.load(word::RECYCLE) != 0
    }

    /// The worker ends because it cannot start, and neither could another one at this time.
    pub(in crate::process) fn set_cannot_start(&self) {
        self.store(word::CANNOT_START, 1);
    }

    pub(in crate::process) fn cannot_start(&self) -> bool {
        self.load(word::CANNOT_START) != 0
    }

    /// Notes that the worker accepts no more connections, except the waiting ones if `is_last`.
    pub(in crate::process) fn mark_draining(&self, is_last: bool) {
        self.store(word::LAST, is_last.into());
        self.set_state(State::Draining);
    }

    /// Returns whether the worker accepts the clients that wait at its own listeners. A worker that
    /// began to end before the others leaves them to the others.
    pub(in crate::process) fn accepts_last(&self) -> bool {
        self.state() != State::Draining || self.load(word::LAST) != 0
    }

    pub(in crate::process) fn set_state(&self, state: State) {
        self.store(word::STATE, state as u64);
    }

    /// Where the loop writes when its turn began, and which task it runs.
    pub(in crate::process) fn stamps(&self) -> (&'static AtomicU64, &'static AtomicU64) {
        (&self.words[word::TURN], &self.words[word::TASK])
    }
}

impl fmt::Debug for SlotPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotPage")
            .field("slot", &self.slot)
            .field("state", &self.state())
            .field("pid", &self.pid())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
