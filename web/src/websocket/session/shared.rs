//! A session, shared by its driver and its handles.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::error::WebSocketError;
use super::state::{Incoming, Phase, Released, Start, State};
use super::transport::Stream;
use crate::websocket::codec::close::CloseFrame;
use crate::websocket::codec::encoder::PayloadTooLong;
use crate::websocket::codec::prepared::Prepared;
use crate::websocket::message::Message;

/// One side of a WebSocket connection.
///
/// Only its driver waits for the stream and for the clock. A handle that reads or writes does so in
/// the name of the driver: so it does not matter in which task a handle is used.
pub(crate) struct Session {
    state: RefCell<State>,
    /// The task of the driver, once that was polled.
    driver: Cell<Option<Waker>>,
    subprotocol: Option<Box<str>>,
    attached: OnceCell<Box<Attached>>,
}

/// A value of a layer above. Boxed twice, because most sessions have none.
struct Attached(Box<dyn Any>);

impl Session {
    pub(crate) fn new(
        stream: impl Into<Stream>,
        start: Start,
        subprotocol: Option<Box<str>>,
    ) -> Rc<Self> {
        let state = RefCell::new(State::new(stream.into(), start));
        Rc::new(Self { state, driver: Cell::new(None), subprotocol, attached: OnceCell::new() })
    }

    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Reads, writes and keeps time, as its driver. Is ready when the connection is over.
    pub(crate) fn poll_drive(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let driver = self.driver.take();
        let driver = match driver {
            Some(driver) if driver.will_wake(task.waker()) => driver,
            _ => task.waker().clone(),
        };
        self.driver.set(Some(driver));
        self.work(|state, released| state.poll_io(task, released))
    }

    /// Whether the driver must be polled although nothing woke it. Only a driver in the same task
    /// as the handles has to ask.
    pub(crate) fn needs_poll(&self) -> bool {
        self.state.borrow().needs_poll
    }

    /// Whether a handle was told that the connection is over.
    pub(crate) fn saw_end(&self) -> bool {
        self.state.borrow().saw_end
    }

    /// Receives the next message, or a ping or pong if the session was made so. `None`: the
    /// connection is over or being closed, regularly.
    pub(crate) fn poll_recv(
        &self,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Incoming>, WebSocketError>> {
        let (received, is_driver) =
            self.in_name_of_driver(task, |state, task, is_driver, released| {
                state.receiver_waits = false;
                let received = match state.take_incoming() {
                    Some(incoming) => Poll::Ready(Some(incoming)),
                    None => state.poll_incoming(task, released),
                };
                let received = match received {
                    Poll::Ready(Some(incoming)) => Poll::Ready(Ok(Some(incoming))),
                    Poll::Ready(None) => {
                        state.saw_end = true;
                        Poll::Ready(state.failure.map_or(Ok(None), Err))
                    }
                    Poll::Pending => {
                        state.receiver_waits = true;
                        Poll::Pending
                    }
                };
                // What follows must be read although the receiver may not come back soon.
                state.needs_poll = received.is_ready();
                (received, is_driver)
            });
        if received.is_pending() && !is_driver {
            let waker = task.waker().clone();
            self.work(|state, released| released.replaced = state.receiver.replace(waker));
        }
        received
    }

    /// Sends what `message` holds, once there is room for it.
    pub(crate) fn poll_send(
        &self,
        task: &mut TaskContext<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), WebSocketError>> {
        self.poll_ready_and(task, |state, task, released| state.send(message, task, released))
    }

    /// Sends a frame whose memory other sessions may share, once there is room for it.
    pub(crate) fn poll_send_prepared(
        &self,
        task: &mut TaskContext<'_>,
        message: &Prepared,
    ) -> Poll<Result<(), WebSocketError>> {
        self.poll_ready_and(task, |state, task, released| {
            state.send_prepared(message, task, released);
        })
    }

    /// Sends a frame if there is room for it now. Returns whether it was sent or queued.
    pub(crate) fn try_send_prepared(&self, message: &Prepared) -> bool {
        let mut task = TaskContext::from_waker(Waker::noop());
        self.in_name_of_driver(&mut task, |state, task, _, released| {
            let is_possible = state.phase == Phase::Open && state.has_room();
            if is_possible {
                state.send_prepared(message, task, released);
            }
            is_possible
        })
    }

    /// Returns the value that a layer above has attached, which is dropped with the session. There
    /// is one type of such values.
    pub(crate) fn attached<T: Default + 'static>(&self) -> &T {
        let attached = self.attached.get_or_init(|| Box::new(Attached(Box::<T>::default())));
        let attached = attached.0.downcast_ref();
        attached.unwrap_or_else(|| unreachable!("a session has one type of attached values"))
    }

    /// Sends a ping, once there is room for it.
    pub(crate) fn poll_ping(
        &self,
        task: &mut TaskContext<'_>,
        payload: &[u8],
    ) -> Poll<Result<Result<(), PayloadTooLong>, WebSocketError>> {
        self.poll_ready_and(task, |state, task, released| state.send_ping(payload, task, released))
    }

    /// Begins the closing handshake, unless either side has begun it.
    pub(crate) fn begin_close(&self, frame: Option<&CloseFrame>) {
        let mut task = TaskContext::from_waker(Waker::noop());
        self.in_name_of_driver(&mut task, |state, task, _, released| {
            state.begin_close(frame, task, released);
        });
    }

    /// Waits until the connection is over.
    pub(crate) fn poll_ended(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.work(|state, _| {
            state.saw_end = true;
            if state.phase == Phase::Ended {
                return Poll::Ready(());
            }
            state.wait(task);
            Poll::Pending
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.borrow().phase == Phase::Open
    }

    /// How many bytes wait for the peer.
    pub(crate) fn buffered(&self) -> usize {
        self.state.borrow().output.queued()
    }

    /// The close frame of the peer, if one with a code came.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        self.state.borrow().peer_close.as_deref().cloned()
    }

    /// Why the connection ended, if not by a close frame.
    pub(crate) fn failure(&self) -> Option<WebSocketError> {
        self.state.borrow().failure
    }

    /// How many bytes of memory it holds for messages.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.state.borrow().memory()
    }

    /// A handle was dropped. Once all are, the driver closes the connection.
    pub(super) fn handle_dropped(&self) {
        if let Some(driver) = self.driver.take() {
            driver.wake_by_ref();
            self.driver.set(Some(driver));
        }
    }

    fn poll_ready_and<R>(
        &self,
        task: &mut TaskContext<'_>,
        send: impl FnOnce(&mut State, &mut TaskContext<'_>, &mut Released) -> R,
    ) -> Poll<Result<R, WebSocketError>> {
        let sent = self.in_name_of_driver(task, |state, task, _, released| {
            if state.phase != Phase::Open {
                state.saw_end = true;
                return Some(Err(WebSocketError::Closed));
            }
            state.has_room().then(|| {
                let sent = send(state, task, released);
                state.failure.map_or(Ok(sent), Err)
            })
        });
        match sent {
            Some(sent) => Poll::Ready(sent),
            None => {
                self.work(|state, _| state.wait(task));
                Poll::Pending
            }
        }
    }

    /// Calls `work` with the task of the driver, and says whether that is `task`.
    fn in_name_of_driver<R>(
        &self,
        task: &mut TaskContext<'_>,
        work: impl FnOnce(&mut State, &mut TaskContext<'_>, bool, &mut Released) -> R,
    ) -> R {
        let driver = self.driver.take();
        let result = self.work(|state, released| match &driver {
            Some(driver) if !driver.will_wake(task.waker()) => {
                let result = work(state, &mut TaskContext::from_waker(driver), false, released);
                if state.needs_poll {
                    released.wakers.push(driver.clone());
                }
                result
            }
            Some(_) => work(state, task, true, released),
            // It is polled for the first time later.
            None => work(state, &mut TaskContext::from_waker(Waker::noop()), false, released),
        });
        self.driver.set(driver);
        result
    }

    fn work<R>(&self, work: impl FnOnce(&mut State, &mut Released) -> R) -> R {
        let mut released = Released::default();
        let result = work(&mut self.state.borrow_mut(), &mut released);
        released.settle();
        result
    }
}
