//! Any descriptor, as tasks use it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::RecvFlags;

use crate::budget;
use crate::executor::Waiter;
use crate::io_loop;
use crate::reactor::{self, Chunk, Direction, Ready, Source, Trigger};

/// A descriptor in non-blocking mode, and the means to wait until it is ready.
///
/// It serves sockets, pipes, and whatever else `epoll` or `kqueue` can watch. It is registered
/// lazily, when an operation on it would have blocked for the first time, and removed when it is
/// dropped. It belongs to the loop of the thread that made it, and cannot leave that thread.
///
/// One task at a time may wait for it to become readable, and one for it to become writable. A
/// second one that waits takes the place of the first.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
/// use squall_runtime::{AsyncFd, IOLoop};
///
/// let (reader, mut writer) = io::pipe()?;
/// IOLoop::current().run_sync(async {
///     let reader = AsyncFd::new(reader)?;
///     writer.write_all(b"hello")?;
///     let mut buffer = [0; 16];
///     let count = reader.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
///     assert_eq!(&buffer[..count], b"hello");
///     Ok::<(), io::Error>(())
/// })??;
/// # Ok::<(), io::Error>(())
/// ```
pub struct AsyncFd<T: AsFd> {
    /// Empty only while it is dropped or given back.
    io: Option<T>,
    mode: Mode,
    /// Where in the chunk its source is: what is known of it, to this and to the reactor, which hears
    /// of events.
    slot: u8,
    chunk: Rc<Chunk>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Edge,
    /// As `Edge`, but dropping it closes the descriptor, so it need not be removed before.
    Owning,
    Level,
}

/// How the other side of a connection has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerClosed {
    /// It sends nothing more; it may still read.
    Finished,
    /// The connection is broken in both directions.
    Reset,
}

impl<T: AsFd> AsyncFd<T> {
    /// Takes a descriptor and puts it into non-blocking mode.
    ///
    /// # Errors
    ///
    /// Fails if the mode cannot be changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let reader = AsyncFd::new(reader)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn new(io: T) -> io::Result<Self> {
        io_loop::settle();
        ioctl_fionbio(&io, true)?;
        Ok(Self::with_mode(io, Mode::Edge))
    }

    /// Takes a descriptor of which the system shall tell again and again as long as it is ready:
    /// for listeners. After a [`read_with`](Self::read_with) it is believed not to be ready, so an
    /// `accept` that succeeds is not followed by one that would block. The descriptor is put into
    /// non-blocking mode.
    ///
    /// # Errors
    ///
    /// Fails if the mode cannot be changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use std::net::{TcpListener, TcpStream};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// IOLoop::current().run_sync(async {
    ///     let listener = AsyncFd::level(listener)?;
    ///     let (_, address) = listener.read_with(|listener| listener.accept()).await?;
    ///     assert_eq!(address, client.local_addr()?);
    ///     Ok::<(), io::Error>(())
    /// })??;
    /// # Ok::<(), io::Error>(())
    /// ```
    #[track_caller]
    pub fn level(io: T) -> io::Result<Self> {
        io_loop::settle();
        ioctl_fionbio(&io, true)?;
        Ok(Self::with_mode(io, Mode::Level))
    }

    /// Takes a descriptor that is in non-blocking mode already and that nobody else has: dropping
    /// `io` closes it. Costs no system call, neither now nor when it is dropped.
    #[track_caller]
    pub(crate) fn owning(io: T) -> Self {
        io_loop::settle();
        Self::with_mode(io, Mode::Owning)
    }

    /// Marks this descriptor as the runtime's own: a virtual clock goes on while a task waits for it.
    pub(crate) fn internal(self) -> Self {
        self.source().make_internal();
        self
    }

    fn with_mode(io: T, mode: Mode) -> Self {
        let (chunk, slot) = reactor::reserve();
        Self { io: Some(io), mode, slot, chunk }
    }

    /// The descriptor itself. Operations on it that would block fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Panics
    ///
    /// Never: the descriptor is there as long as this is.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let listener = AsyncFd::level(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    /// assert_ne!(listener.get_ref().local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn get_ref(&self) -> &T {
        match &self.io {
            Some(io) => io,
            None => unreachable!("only `drop` and `into_inner` take it out"),
        }
    }

    /// Gives the descriptor back. It stays in non-blocking mode.
    ///
    /// # Panics
    ///
    /// Never: the descriptor is there as long as this is.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::AsyncFd;
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let reader = AsyncFd::new(reader)?.into_inner();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_inner(mut self) -> T {
        self.release(false);
        match self.io.take() {
            Some(io) => io,
            None => unreachable!("only `drop` and `into_inner` take it out"),
        }
    }

    /// Waits until there is something to read: bytes, a connection, the end, or an error.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// IOLoop::current().run_sync(async { AsyncFd::new(reader)?.readable().await })??;
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx, Direction::Read)).await
    }

    /// Waits until something can be written, or writing would fail.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = std::io::pipe()?;
    /// IOLoop::current().run_sync(async { AsyncFd::new(writer)?.writable().await })??;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx, Direction::Write)).await
    }

    /// Reads by `operation`, as often as it takes until it does not block.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// let count = IOLoop::current().run_sync(async {
    ///     AsyncFd::new(reader)?.read_with(|mut pipe| pipe.read(&mut [0; 16])).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn read_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.poll_read_with(cx, &mut operation, |_| self.mode == Mode::Level)).await
    }

    /// Writes by `operation`, as often as it takes until it does not block.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = io::pipe()?;
    /// let count = IOLoop::current().run_sync(async {
    ///     AsyncFd::new(writer)?.write_with(|mut pipe| pipe.write(b"hello")).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub async fn write_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        poll_fn(|cx| self.poll_write_with(cx, &mut operation)).await
    }

    /// Reads by `operation`. If it would block, the task waits until it would not.
    ///
    /// `drained` gets the result and says whether this was all that had arrived. Then the next
    /// attempt waits without asking the system. A read of a TCP stream or a pipe that did not fill its
    /// buffer has taken all. A read of a Unix socket may end early, where a descriptor was sent
    /// along. If in doubt, `|_| false` costs one more call. For a descriptor made by
    /// [`level`](Self::level), `|_| true` is always right.
    ///
    /// After 128 operations on one turn this returns `Pending` although the descriptor is ready,
    /// so that a busy peer does not keep the other tasks from running.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::{self, Read, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (reader, mut writer) = io::pipe()?;
    /// writer.write_all(b"hello")?;
    /// let mut buffer = [0; 16];
    /// let count = IOLoop::current().run_sync(async {
    ///     let reader = AsyncFd::new(reader)?;
    ///     poll_fn(|cx| {
    ///         reader.poll_read_with(cx, |mut pipe| pipe.read(&mut buffer), |count| *count < 16)
    ///     })
    ///     .await
    /// })??;
    /// assert_eq!(&buffer[..count], b"hello");
    /// # Ok::<(), io::Error>(())
    /// ```
    #[inline(always)]
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
        drained: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let source = self.source();
        let result = ready!(self.poll_with(cx, Direction::Read, operation))?;
        if drained(&result) && source.tells_of_more() {
            source.believe_blocked(Direction::Read);
        }
        Poll::Ready(Ok(result))
    }

    /// Writes by `operation`. If it would block, the task waits until it would not.
    ///
    /// After 128 operations on one turn this returns `Pending` although the descriptor is ready,
    /// so that a busy peer does not keep the other tasks from running.
    ///
    /// # Errors
    ///
    /// Fails if `operation` does, or if the descriptor cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::io::{self, Write};
    /// use squall_runtime::{AsyncFd, IOLoop};
    ///
    /// let (_reader, writer) = io::pipe()?;
    /// let count = IOLoop::current().run_sync(async {
    ///     let writer = AsyncFd::new(writer)?;
    ///     poll_fn(|cx| writer.poll_write_with(cx, |mut pipe| pipe.write(b"hello"))).await
    /// })??;
    /// assert_eq!(count, 5);
    /// # Ok::<(), io::Error>(())
    /// ```
    #[inline(always)]
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, Direction::Write, operation)
    }

    /// Is ready when the peer of a connected stream has finished or broken the connection, which
    /// is noticed without reading. The task is woken when that happens; it takes the place of
    /// one that waits to read.
    ///
    /// Where the system cannot tell of an end that lies behind bytes that nobody has read yet, which
    /// is everywhere but on Linux, it is noticed when they are read.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be registered.
    pub(crate) fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<io::Result<PeerClosed>> {
        self.register()?;
        let (source, ready) = (self.source(), self.source().ready());
        if ready.contains(Ready::FAILED) {
            return Poll::Ready(Ok(PeerClosed::Reset));
        }
        if ready.contains(Ready::FINISHED) {
            // Whoever goes on after this is to hear if the connection then breaks.
            source.wait(Direction::Read, cx.waker());
            return Poll::Ready(Ok(PeerClosed::Finished));
        }
        if !ready.contains(Ready::READ) {
            self.wait(cx, Direction::Read)?;
            return Poll::Pending;
        }
        if !reactor::tells_finish() {
            return self.poll_peek(cx);
        }
        source.wait(Direction::Read, cx.waker());
        Poll::Pending
    }

    /// Looks for the end of the stream where no event tells of it.
    fn poll_peek(&self, cx: &mut Context<'_>) -> Poll<io::Result<PeerClosed>> {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(self.get_ref(), &mut [0_u8; 1], flags) {
            Ok((0, _)) => Poll::Ready(Ok(PeerClosed::Finished)),
            Ok(_) | Err(Errno::INTR) => {
                reactor::ignore_unread(&self.chunk, self.slot);
                self.source().wait(Direction::Read, cx.waker());
                Poll::Pending
            }
            Err(Errno::AGAIN) => {
                self.source().believe_blocked(Direction::Read);
                self.wait(cx, Direction::Read)?;
                Poll::Pending
            }
            Err(_) => Poll::Ready(Ok(PeerClosed::Reset)),
        }
    }

    #[inline(always)]
    fn poll_with<R>(
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

    /// Goes on after an attempt that has failed. Apart from the first, which rarely does.
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
                io::ErrorKind::WouldBlock => self.source().believe_blocked(direction),
                io::ErrorKind::Interrupted => (),
                _ => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_event_again(cx, direction))?;
            match operation(self.get_ref()) {
                Ok(result) => {
                    budget::spend();
                    return Poll::Ready(Ok(result));
                }
                Err(next) => error = next,
            }
        }
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        ready!(self.poll_budget(cx, direction));
        loop {
            ready!(self.poll_event_again(cx, direction))?;
            if self.is_ready_now(direction)? {
                budget::spend();
                return Poll::Ready(Ok(()));
            }
            self.source().believe_blocked(direction);
        }
    }

    /// Is ready if the task may do another operation on this turn.
    #[inline(always)]
    fn poll_budget(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<()> {
        if budget::is_left() { Poll::Ready(()) } else { self.poll_refused(cx, direction) }
    }

    /// Refuses an operation, unless it was refused before.
    #[cold]
    fn poll_refused(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<()> {
        if !self.source().toggle_refused(direction) {
            budget::refuse(cx);
            return Poll::Pending;
        }
        if Waiter::of_running(cx.waker()).is_none() {
            // An executor inside the task has begun a turn of its own, of which the loop knows nothing.
            budget::refill();
        }
        Poll::Ready(())
    }

    /// Is ready if an attempt is worth while. If not, the task is woken by the next event.
    #[inline(always)]
    fn poll_event(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        if self.source().ready().contains(direction.ready()) {
            return Poll::Ready(Ok(()));
        }
        self.wait(cx, direction)?;
        Poll::Pending
    }

    /// Is ready if reading is worth an attempt, which asks the system nothing. If not, the task is
    /// woken by the next event. What is wrong with the descriptor is told by the attempt.
    #[inline]
    pub(crate) fn poll_worth_reading(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_event(cx, Direction::Read).map(drop)
    }

    /// The same where it need not be fast.
    #[cold]
    fn poll_event_again(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        self.poll_event(cx, direction)
    }

    /// As [`writable`](Self::writable). What others have written meanwhile does not matter: the
    /// system is asked.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Direction::Write)
    }

    #[inline(always)]
    fn source(&self) -> &Source {
        self.chunk.source(self.slot)
    }

    /// Makes the task wait for the next event.
    #[inline(always)]
    fn wait(&self, cx: &mut Context<'_>, direction: Direction) -> io::Result<()> {
        let is_told = self.source().wait(direction, cx.waker());
        if is_told { Ok(()) } else { self.arm(direction) }
    }

    /// Has the system tell of events in this direction.
    #[cold]
    fn arm(&self, direction: Direction) -> io::Result<()> {
        let fd = self.get_ref().as_fd();
        reactor::arm(fd, &self.chunk, self.slot, self.mode.trigger(), direction)
    }

    /// Asks the system: what the reactor believes may be out of date.
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

    fn register(&self) -> io::Result<()> {
        reactor::register(self.get_ref().as_fd(), &self.chunk, self.slot, self.mode.trigger())
    }

    fn release(&self, closing: bool) {
        reactor::release(self.get_ref().as_fd(), &self.chunk, self.slot, closing);
    }
}

impl Mode {
    fn trigger(self) -> Trigger {
        match self {
            Self::Edge | Self::Owning => Trigger::Edge,
            Self::Level => Trigger::Level,
        }
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        if self.io.is_some() {
            self.release(self.mode == Mode::Owning);
        }
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("io", &self.io).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
