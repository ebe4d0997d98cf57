//! How long a connection waits for its client.
//!
//! Receiving and sending have a limit each, and only progress in that direction extends it. A
//! client that neither sends nor takes anything cannot stay by making one wait restart the other.
//! One timer serves for the earlier of the two limits.

use std::cell::Cell;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::{Duration, Instant};

use squall_runtime::{Deadline, Moment};

use super::{Connection, Flags, Phase, close};

/// The limits of a connection and their timer.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    deadline: Deadline,
    /// When the timer fires, if [`poll_head_limit`](Connection::poll_head_limit) armed it. The
    /// limit may be later by now.
    head_timer: Cell<Option<Moment>>,
    receive_until: Cell<Option<Moment>>,
    send_until: Cell<Option<Moment>>,
}

impl Connection {
    /// Begins to wait for something else, for as long as the settings allow.
    pub(super) fn enter(&self, phase: Phase) {
        if self.phase() != phase {
            self.restart(phase, self.limit_of(phase));
        }
    }

    /// Begins to wait, for `patience` or without a limit.
    ///
    /// Without a limit, the timer is left alone. A task that it wakes finds that there is no limit.
    pub(super) fn restart(&self, phase: Phase, patience: Option<Duration>) {
        self.phase.set(phase);
        self.timeouts.receive_until.set(patience.map(Moment::after));
        if patience.is_some() {
            self.arm();
        }
    }

    /// Like [`enter`](Self::enter), but does not arm the timer.
    /// [`poll_head_limit`](Self::poll_head_limit) does, once there is nothing to receive.
    pub(super) fn enter_unarmed(&self, phase: Phase) {
        if self.phase() != phase {
            self.phase.set(phase);
            self.timeouts.receive_until.set(self.limit_of(phase).map(Moment::after));
        }
    }

    fn limit_of(&self, phase: Phase) -> Option<Duration> {
        let settings = &self.server.settings;
        match phase {
            Phase::Idle if self.server.is_draining() => Some(settings.drain_idle),
            Phase::Idle => settings.idle_connection_timeout,
            Phase::Head => settings.header_timeout,
            Phase::Body => settings.body_timeout,
            Phase::New | Phase::Handler => None,
            Phase::Closing => Some(close::LINGER),
        }
    }

    /// Gives an idle connection only `patience` more for a last request.
    pub(super) fn hurry(&self, patience: Duration) {
        if self.phase() == Phase::Idle {
            self.restart(Phase::Idle, Some(patience));
        }
    }

    /// Ready when receiving has taken too long.
    pub(super) fn poll_receive_limit(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_limit(task, self.timeouts.receive_until.get())
    }

    /// Like [`poll_receive_limit`](Self::poll_receive_limit), but for heads.
    ///
    /// The timer is usually still armed for an earlier request's limit. That is early enough, so
    /// the timer is left alone and armed again only if it fires.
    #[inline(always)]
    pub(super) fn poll_head_limit(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let timeouts = &self.timeouts;
        let is_armed = match (timeouts.head_timer.get(), timeouts.receive_until.get()) {
            (Some(timer), Some(until)) => timer <= until && !timer.has_come(),
            _ => false,
        };
        if is_armed && timeouts.send_until.get().is_none() {
            return Poll::Pending;
        }
        self.arm_for_head(task)
    }

    #[inline(never)]
    fn arm_for_head(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let timeouts = &self.timeouts;
        let (Some(until), None) = (timeouts.receive_until.get(), timeouts.send_until.get()) else {
            self.arm();
            return self.poll_receive_limit(task);
        };
        let expired = timeouts.deadline.poll_until(task, until);
        timeouts.head_timer.set(expired.is_pending().then_some(until));
        expired
    }

    /// Waits for room to send, after `progress` bytes were sent. Ready when it has taken too long.
    ///
    /// Progress extends the limit. While a file is being read, the client has no limit.
    pub(super) fn poll_send_limit(&self, task: &mut TaskContext<'_>, progress: u64) -> Poll<()> {
        if self.waits_for_file() {
            self.end_sending(progress);
            return Poll::Pending;
        }
        if progress > 0 || self.timeouts.send_until.get().is_none() {
            let patience = self.wait_to_send(progress);
            self.timeouts.send_until.set(patience.map(Moment::after));
            self.arm();
        }
        self.poll_limit(task, self.timeouts.send_until.get())
    }

    fn wait_to_send(&self, progress: u64) -> Option<Duration> {
        let (now, settings) = (self.server.now(), &self.server.settings);
        self.with(|buffers| {
            buffers.sending.wait(now);
            buffers.sending.advance(progress, settings.min_write_rate);
            settings.write_timeout.map(|timeout| buffers.sending.patience(timeout))
        })
    }

    /// Ends the wait for room, after the last `progress` bytes were sent.
    pub(super) fn end_sending(&self, progress: u64) {
        if self.timeouts.send_until.take().is_some() {
            self.arm();
        }
        let now = self.server.now();
        self.with(|buffers| {
            buffers.sending.stop(now);
            buffers.sending.advance(progress, self.server.settings.min_write_rate);
        });
    }

    /// Sets the timer to the earlier limit.
    fn arm(&self) {
        let Timeouts { deadline, head_timer, receive_until, send_until } = &self.timeouts;
        head_timer.set(None);
        match (receive_until.get(), send_until.get()) {
            (Some(until), None) | (None, Some(until)) => deadline.set_at(until),
            (Some(receive), Some(send)) => deadline.set_at(receive.min(send)),
            (None, None) => deadline.clear(),
        }
    }

    /// Ready when `limit` has come. Otherwise the timer wakes the task.
    fn poll_limit(&self, task: &mut TaskContext<'_>, limit: Option<Moment>) -> Poll<()> {
        if limit.is_some_and(Moment::has_come) {
            return Poll::Ready(());
        }
        self.timeouts.head_timer.set(None);
        ready!(self.timeouts.deadline.poll_expired(task));
        self.poll_later_limit(task, limit)
    }

    /// The timer fired for the other direction, or for a limit that no longer holds. Handles the
    /// other direction, then arms the timer for `limit`.
    #[cold]
    fn poll_later_limit(&self, task: &mut TaskContext<'_>, limit: Option<Moment>) -> Poll<()> {
        let Timeouts { deadline, receive_until, send_until, .. } = &self.timeouts;
        if receive_until.get().is_some_and(Moment::has_come) {
            self.wake_reader();
        }
        if send_until.get().is_some_and(Moment::has_come) {
            // Another task may be sending. The reset wakes it.
            self.set(Flags::TOO_SLOW, true);
            self.stream.reset();
        }
        if let Some(until) = limit {
            deadline.set_at(until);
            ready!(deadline.poll_expired(task));
        }
        Poll::Pending
    }

    /// Wakes the task that waits for the body. It may be another task, and the timer knows only
    /// one.
    fn wake_reader(&self) {
        let waiter = self.held.borrow_mut().leased().and_then(|held| held.body.take_waiter());
        waiter.into_iter().for_each(Waker::wake);
    }
}

/// How far a client is behind the minimum rate: the time spent waiting for it, minus the time that
/// the transferred bytes may take.
///
/// A client is never ahead. Having been fast does not allow it to be slow later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    behind: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// Begins to wait, or continues.
    fn wait(&mut self, now: Instant) {
        self.stop(now);
        self.waiting_since = Some(now);
    }

    /// Ends the wait, if there is one.
    fn stop(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.behind += now.saturating_duration_since(since);
        }
    }

    /// Counts `bytes` that were transferred. The minimum is `rate` bytes per second; 0 is no
    /// minimum.
    fn advance(&mut self, bytes: u64, rate: u64) {
        let allowed = bytes.saturating_mul(1000).checked_div(rate);
        let allowed = allowed.map_or(Duration::MAX, Duration::from_millis);
        self.behind = self.behind.saturating_sub(allowed);
    }

    /// Whether the client is not behind, and nothing waits for it.
    #[inline]
    pub(super) fn is_even(&self) -> bool {
        self.waiting_since.is_none() && self.behind == Duration::ZERO
    }

    /// How long the next bytes may take if the client may be behind by `timeout`.
    fn patience(&self, timeout: Duration) -> Duration {
        timeout.saturating_sub(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// How many times the server waits for a client that takes `pause` seconds for each `bytes`.
    fn waits(pace: &mut Pace, pause: u64, bytes: u64, rate: u64) -> Option<u32> {
        let mut now = Instant::now();
        (0..1000).find(|_| {
            pace.wait(now);
            if Duration::from_secs(pause) > pace.patience(TIMEOUT) {
                return true;
            }
            now += Duration::from_secs(pause);
            pace.stop(now);
            pace.advance(bytes, rate);
            false
        })
    }

    #[test]
    fn a_client_may_be_behind_by_the_time_out() {
        let rows = [
            (59, 1, Some(1)),
            (1, 1, Some(60)),
            (10, 1200, Some(11)),
            (10, 2399, None),
            (10, 2400, None),
            (60, 240 * 60, None),
            (61, 1 << 40, Some(0)),
        ];
        for (pause, bytes, expected) in rows {
            let counted = waits(&mut Pace::default(), pause, bytes, 240);
            assert_eq!(counted, expected, "{bytes} bytes each {pause} s");
        }
        assert_eq!(waits(&mut Pace::default(), 60, 1, 0), None, "there is no rate");
    }

    #[test]
    fn a_fast_client_earns_no_time() {
        let mut pace = Pace::default();
        pace.advance(u64::MAX, 1);
        assert_eq!(waits(&mut pace, 59, 1, 240), Some(1));
    }
}
