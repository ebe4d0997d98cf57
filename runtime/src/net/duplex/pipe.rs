//! One direction of a connection in memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::task::{Context, Poll, ready};

use crate::budget;
use crate::fd::PeerClosed;
use crate::net::WakerSlot;

pub(super) struct Pipe {
    /// The bytes that were sent and are unread. It is not borrowed while a waker runs.
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// How the sending end closed it, if it did.
    closed: Cell<Option<PeerClosed>>,
    /// The receiving end was dropped or shut down for reading.
    abandoned: Cell<bool>,
    reader: WakerSlot,
    writer: WakerSlot,
    /// The last read was refused, because its task had used up its budget.
    read_refused: Cell<bool>,
    /// Like `read_refused`, for writes.
    write_refused: Cell<bool>,
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            bytes: RefCell::default(),
            capacity,
            closed: Cell::new(None),
            abandoned: Cell::new(false),
            reader: WakerSlot::default(),
            writer: WakerSlot::default(),
            read_refused: Cell::new(false),
            write_refused: Cell::new(false),
        }
    }

    /// Returns the number of unread bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx, &self.read_refused));
        let read = ready!(self.poll_read_now(cx, buffer));
        budget::spend();
        Poll::Ready(read)
    }

    fn poll_read_now(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.closed.get() == Some(PeerClosed::Reset) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if buffer.is_empty() || self.abandoned.get() {
            return Poll::Ready(Ok(0));
        }

        // A ring consists of two slices, and each `read` copies one.
        let (front, read) = {
            let mut bytes = self.bytes.borrow_mut();
            let front = bytes.read(buffer)?;
            (front, front + bytes.read(&mut buffer[front..])?)
        };
        if front > 0 {
            self.writer.wake();
            return Poll::Ready(Ok(read));
        }
        if self.closed.get().is_some() {
            return Poll::Ready(Ok(0));
        }
        self.reader.set(cx.waker());
        Poll::Pending
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_left(cx, &self.write_refused));
        let sent = ready!(self.poll_write_now(cx, buffers));
        budget::spend();
        Poll::Ready(sent)
    }

    fn poll_write_now(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.closed.get() {
            Some(PeerClosed::Reset) => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Some(PeerClosed::Finished) => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            None if self.abandoned.get() => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            None => {}
        }
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }

        let sent = self.append(buffers);
        if sent == 0 {
            self.writer.set(cx.waker());
            return Poll::Pending;
        }
        self.reader.wake();
        Poll::Ready(Ok(sent))
    }

    /// Appends as many bytes of `buffers` as there is room for, and returns their number.
    fn append(&self, buffers: &[IoSlice<'_>]) -> usize {
        let mut bytes = self.bytes.borrow_mut();
        let before = bytes.len();
        for buffer in buffers {
            let room = self.capacity - bytes.len();
            bytes.extend(&buffer[..room.min(buffer.len())]);
        }
        bytes.len() - before
    }

    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<PeerClosed> {
        // After a FIN, too, because a reset may follow.
        self.reader.set(cx.waker());
        self.closed.get().map_or(Poll::Pending, Poll::Ready)
    }

    /// Notes that the sending end sends nothing more.
    pub(super) fn finish(&self) {
        if self.closed.get().is_none() {
            self.closed.set(Some(PeerClosed::Finished));
            self.reader.wake();
        }
    }

    /// Notes that the receiving end reads nothing more.
    pub(super) fn abandon(&self) {
        self.abandoned.set(true);
        self.bytes.take();
        self.reader.wake();
        self.writer.wake();
    }

    pub(super) fn reset(&self) {
        self.closed.set(Some(PeerClosed::Reset));
        self.bytes.take();
        self.reader.wake();
        self.writer.wake();
    }
}
