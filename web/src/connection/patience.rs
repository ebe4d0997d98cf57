//! How long a connection may wait, for what it receives and for what it sends.
//!
//! Each direction has a limit of its own, which only progress in that direction moves: a client
//! that neither sends nor takes anything is not kept by the one wait starting the other anew.
//! One timer serves for the earlier of the two.

use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use squall_runtime::Moment;

use super::{Connection, Flags, close};

/// What a connection is waiting to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    New,
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// Nothing: it is the handler's turn.
    Handler,
    /// The client's end of the connection.
    Closing,
}

impl Connection {
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Begins to wait for something else, for as long as the settings allow.
    pub(super) fn enter(&self, phase: Phase) {
        if self.phase() != phase {
            self.restart(phase, self.setting(phase));
        }
    }

    /// Begins to wait, for `patience` or for ever.
    ///
    /// A limit that has fallen away leaves the timer as it is: if it goes off, whoever is woken
    /// finds that there is no limit.
    pub(super) fn restart(&self, phase: Phase, patience: Option<Duration>) {
        self.phase.set(phase);
        self.receive_until.set(patience.map(Moment::after));
        if patience.is_some() {
            self.arm();
        }
    }

    /// As [`enter`](Self::enter), of who sets the timer when there is nothing to receive, by
    /// [`poll_head_limit`](Self::poll_head_limit).
    #[inline]
    pub(super) fn begin_to_wait(&self, phase: Phase) {
        if self.phase() != phase {
            self.phase.set(phase);
            self.receive_until.set(self.setting(phase).map(Moment::after));
        }
    }

    fn setting(&self, phase: Phase) -> Option<Duration> {
        let settings = &self.worker.settings;
        match phase {
            Phase::Idle if self.worker.is_draining() => Some(settings.drain_idle),
            Phase::Idle => settings.idle_connection_timeout,
            Phase::Head => settings.header_timeout,
            Phase::Body => settings.body_timeout,
            Phase::New | Phase::Handler => None,
            Phase::Closing => Some(close::LINGER),
        }
    }

    /// Lets an idle connection wait only `patience` longer for a last request.
    pub(crate) fn hurry(&self, patience: Duration) {
        if self.phase() == Phase::Idle {
            self.restart(Phase::Idle, Some(patience));
        }
    }

    /// Whether it has taken too long to receive.
    pub(super) fn poll_receive_limit(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_limit(task, self.receive_until.get())
    }

    /// The same for a head. Nearly always the timer goes off at a time that will do: the limit of an
    /// earlier request, which is none any more, but then it can still be set.
    #[inline(always)]
    pub(super) fn poll_head_limit(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let is_waiting = match (self.goes_off.get(), self.receive_until.get()) {
            (Some(goes_off), Some(until)) => goes_off <= until && !goes_off.has_come(),
            _ => false,
        };
        if is_waiting && self.send_until.get().is_none() {
            return Poll::Pending;
        }
        self.poll_head_limit_anew(task)
    }

    #[inline(never)]
    fn poll_head_limit_anew(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let (Some(until), None) = (self.receive_until.get(), self.send_until.get()) else {
            self.arm();
            return self.poll_receive_limit(task);
        };
        let expired = self.deadline.poll_until(task, until);
        self.goes_off.set(expired.is_pending().then_some(until));
        expired
    }

    /// Waits for room to send, anew if `progress` bytes have left. Ready when it has taken too
    /// long.
    ///
    /// While a file is being read, it is not the client who is slow.
    pub(super) fn poll_send_limit(&self, task: &mut TaskContext<'_>, progress: u64) -> Poll<()> {
        if self.waits_for_file() {
            self.end_sending(progress);
            return Poll::Pending;
        }
        if progress > 0 || self.send_until.get().is_none() {
            let patience = self.wait_to_send(progress);
            self.send_until.set(patience.map(Moment::after));
            self.arm();
        }
        self.poll_limit(task, self.send_until.get())
    }

    fn wait_to_send(&self, progress: u64) -> Option<Duration> {
        let (now, settings) = (self.worker.now(), &self.worker.settings);
        self.with(|buffers| {
            buffers.sending.wait(now);
            buffers.sending.advance(progress, settings.min_write_rate);
            settings.write_timeout.map(|timeout| buffers.sending.patience(timeout))
        })
    }

    /// Notes that nothing waits for the client any more, after `progress` bytes at last.
    pub(super) fn end_sending(&self, progress: u64) {
        if self.send_until.take().is_some() {
            self.arm();
        }
        let now = self.worker.now();
        self.with(|buffers| {
            buffers.sending.stop(now);
            buffers.sending.advance(progress, self.worker.settings.min_write_rate);
        });
    }

    fn arm(&self) {
        self.goes_off.set(None);
        match (self.receive_until.get(), self.send_until.get()) {
            (Some(until), None) | (None, Some(until)) => self.deadline.set_at(until),
            (Some(receive), Some(send)) => self.deadline.set_at(receive.min(send)),
            (None, None) => self.deadline.clear(),
        }
    }

    fn poll_limit(&self, task: &mut TaskContext<'_>, limit: Option<Moment>) -> Poll<()> {
        if limit.is_some_and(Moment::has_come) {
            return Poll::Ready(());
        }
        self.goes_off.set(None);
        ready!(self.deadline.poll_expired(task));
        self.poll_later_limit(task, limit)
    }

    /// The timer went off for the other direction: for whoever waits there, or for a limit that
    /// has fallen away. From here on it is for this one.
    #[cold]
    fn poll_later_limit(&self, task: &mut TaskContext<'_>, limit: Option<Moment>) -> Poll<()> {
        if self.receive_until.get().is_some_and(Moment::has_come) {
            self.wake_reader();
        }
        if self.send_until.get().is_some_and(Moment::has_come) {
            // Whoever sends may be another task as well, and is told by this.
            self.set(Flags::TOO_SLOW, true);
            self.stream.reset();
        }
        if let Some(until) = limit {
            self.deadline.set_at(until);
            ready!(self.deadline.poll_expired(task));
        }
        Poll::Pending
    }

    /// Wakes who waits for the body: that may be another task, and the timer knows only one.
    fn wake_reader(&self) {
        let waiter = self.held.borrow_mut().leased().and_then(|held| held.body.take_waiter());
        waiter.into_iter().for_each(Waker::wake);
    }
}
