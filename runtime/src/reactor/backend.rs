//! What the reactor needs from the kernel: registration, and a wait that reports events.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::key::Key;
use super::source::{Interest, Ready, Trigger};

/// An interface to the kernel's events.
pub(super) trait EventBackend {
    /// Memory for the events of a turn.
    type Room: Default;

    /// Starts to watch `fd`. If it is ready already, the next wait reports that.
    fn add(
        &self,
        fd: BorrowedFd<'_>,
        key: Key,
        trigger: Trigger,
        interest: Interest,
    ) -> io::Result<()>;

    /// Makes an edge-triggered descriptor report room to write, too.
    fn add_write(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()>;

    /// Changes the events of a level-triggered descriptor. With [`Interest::NONE`], it must report
    /// nothing, not even errors, because no task would clear them.
    fn watch(&self, key: Key, from: Interest, to: Interest) -> io::Result<()>;

    /// Undoes `add`. If `closing`, the caller closes the descriptor right after this.
    fn remove(&self, fd: BorrowedFd<'_>, source: RemovedSource, closing: bool);

    /// Waits for events, at most `timeout`, which is at most a day, and passes them to `sink`. A
    /// signal may end the wait early. Returns the number of events.
    ///
    /// The sink may use the backend, except for another wait.
    fn wait(
        &self,
        room: &mut Self::Room,
        timeout: Duration,
        sink: impl EventSink,
    ) -> io::Result<usize>;

    /// Returns whether it has edge-triggered events, and reports with them that a peer has
    /// finished.
    fn has_edges(&self) -> bool;
}

/// Receives events. Not a closure, because a closure cannot have `#[inline]`.
pub(super) trait EventSink {
    fn event(&self, event: Event);

    /// Fast path of [`event`](Self::event) for [`Ready::READ`] alone: same result; skip on a first
    /// reading. Nearly all events are of this kind.
    fn readable_fast(&self, key: Key);
}

/// An event of the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) key: Key,
    pub(super) ready: Ready,
}

/// A source that the reactor has removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemovedSource {
    pub(super) key: Key,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "all sources are level-triggered on other systems")
    )]
    pub(super) trigger: Trigger,
    pub(super) watched: Interest,
}
