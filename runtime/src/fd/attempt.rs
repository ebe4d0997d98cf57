//! One attempt at an operation: the budget of the task, the readiness that the reactor has noted,
//! and the wait for the next event.

use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::AsyncFd;
use crate::budget;
use crate::executor::Waiter;
use crate::reactor::{self, Direction, Source};

impl<T: AsFd> AsyncFd<T> {
    /// Returns ready if an attempt to read may succeed, without a system call. Otherwise the next
    /// event wakes the task. An error of the descriptor counts as ready: the attempt returns it.
    #[inline]
    pub(crate) fn poll_worth_reading(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_event(cx, Direction::Read).map(drop)
    }

    /// Like [`writable`](Self::writable), as a poll function. It asks the kernel, because other
    /// processes may have written to the same open file.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Direction::Write)
    }

    #[inline(always)]
    pub(super) fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        ready!(self.poll_budget(cx, direction));
        ready!(self.poll_event(cx, direction))?;
        match operation(self.get_ref()) {
            Ok(result) => {
                budget::spend();
                Poll::Ready(Ok(result))
            }
            Err(error) => self.poll_again(cx, direction, operation, error),
        }
    }

    /// Continues after an attempt that failed with `error`. As a loop around the first attempt,
    /// this would cost each attempt 14 instructions.
    #[cold]
    fn poll_again<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        mut error: io::Error,
    ) -> Poll<io::Result<R>> {
        loop {
            match error.kind() {
                io::ErrorKind::WouldBlock => self.source().set_blocked(direction),
                io::ErrorKind::Interrupted => (),
                _ => {
                    // A task may ignore the error and try again.
                    budget::spend();
                    return Poll::Ready(Err(error));
                }
            }
            ready!(self.poll_event(cx, direction))?;
            match operation(self.get_ref()) {
                Ok(result) => {
                    budget::spend();
                    return Poll::Ready(Ok(result));
                }
                Err(next) => error = next,
            }
        }
    }

    pub(super) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_budget(cx, direction));
        loop {
            ready!(self.poll_event(cx, direction))?;
            if self.is_ready_now(direction)? {
                budget::spend();
                return Poll::Ready(Ok(()));
            }
            self.source().set_blocked(direction);
        }
    }

    /// Returns ready if the task may perform another operation in this turn.
    #[inline]
    fn poll_budget(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<()> {
        if budget::is_left() { Poll::Ready(()) } else { self.poll_refused(cx, direction) }
    }

    /// Refuses an operation, unless it was refused in the turn before.
    #[cold]
    fn poll_refused(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<()> {
        if !self.source().toggle_refused(direction) {
            budget::refuse(cx);
            return Poll::Pending;
        }
        if Waiter::of_current_task(cx.waker()).is_none() {
            // An executor inside the task has started a turn of its own, which the loop does not
            // see.
            budget::refill();
        }
        Poll::Ready(())
    }

    /// Returns ready if an attempt may succeed. Otherwise the next event wakes the task.
    #[inline(always)]
    fn poll_event(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        if self.source().ready().contains(direction.ready()) {
            return Poll::Ready(Ok(()));
        }
        self.wait(cx, direction)?;
        Poll::Pending
    }

    /// Makes the task wait for the next event.
    #[inline]
    pub(super) fn wait(&self, cx: &mut Context<'_>, direction: Direction) -> io::Result<()> {
        let is_watched = self.source().set_waiter(direction, cx.waker());
        if is_watched { Ok(()) } else { self.arm(direction) }
    }

    /// Makes the kernel report events in this direction.
    #[cold]
    fn arm(&self, direction: Direction) -> io::Result<()> {
        let fd = self.get_ref().as_fd();
        reactor::arm(fd, &self.chunk, self.slot, self.mode.trigger(), direction)
    }

    #[inline]
    pub(super) fn source(&self) -> &Source {
        self.chunk.source(self.slot)
    }

    /// Asks the kernel, because the reactor's information may be out of date.
    fn is_ready_now(&self, direction: Direction) -> io::Result<bool> {
        let flags = match direction {
            Direction::Read => PollFlags::IN,
            Direction::Write => PollFlags::OUT,
        };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match rustix::event::poll(&mut [PollFd::new(self.get_ref(), flags)], Some(&at_once)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
