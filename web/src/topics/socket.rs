//! Subscriptions of WebSockets: what is published goes to the client.
//!
//! A message is sent at once while the session has room. Only for a client that reads slowly there
//! is a queue, and a task that sends from it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use squall_runtime::{IOLoop, cooperate};

use super::delivery::{Delivery, Gap};
use super::hub::{Hub, Registration, Subscriber};
use super::mailbox::{Mailbox, Queued};
use super::name::{Pattern, TopicError};
use super::options::{GapMessage, Overflow, SubscribeOptions};
use crate::error::panic::guard;
use crate::error::{Error, Result};
use crate::websocket::session::Session;
use crate::websocket::{CloseCode, CloseFrame, Prepared, WebSocket, WebSocketSender};

impl WebSocket {
    /// Sends the messages of a topic or pattern to the client, from now on until the connection
    /// ends or [`unsubscribe`](Self::unsubscribe) is called. Replaces a subscription of this socket
    /// to the same pattern, and drops what waits in its queue.
    ///
    /// By default, a client that reads too slowly is closed with 1013: see [`SubscribeOptions`].
    ///
    /// # Errors
    ///
    /// [`TopicError`](crate::topics::TopicError) if the pattern is not valid.
    ///
    /// # Examples
    ///
    /// See [`topics`](crate::topics).
    #[track_caller]
    pub fn subscribe(&self, options: impl Into<SubscribeOptions>) -> Result {
        let place = Location::caller();
        subscribe(self.session(), options.into()).map_err(|error| Error::at(place, error))
    }

    /// Ends the subscription to `pattern`. Messages in its queue are not sent. Returns whether there
    /// was such a subscription.
    pub fn unsubscribe(&self, pattern: impl AsRef<str>) -> bool {
        unsubscribe(self.session(), pattern.as_ref())
    }
}

impl WebSocketSender {
    /// Sends the messages of a topic or pattern to the client: see [`WebSocket::subscribe`].
    ///
    /// # Errors
    ///
    /// Like [`WebSocket::subscribe`].
    #[track_caller]
    pub fn subscribe(&self, options: impl Into<SubscribeOptions>) -> Result {
        let place = Location::caller();
        subscribe(self.session(), options.into()).map_err(|error| Error::at(place, error))
    }

    /// Ends a subscription: see [`WebSocket::unsubscribe`].
    pub fn unsubscribe(&self, pattern: impl AsRef<str>) -> bool {
        unsubscribe(self.session(), pattern.as_ref())
    }
}

/// The subscriptions of one socket. They end with its session, which owns this.
#[derive(Default)]
struct Subscriptions(RefCell<Vec<Held>>);

/// A subscription of a socket.
struct Held {
    registration: Registration,
    outbox: Rc<Outbox>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outbox.mailbox.end();
    }
}

fn subscribe(session: &Rc<Session>, options: SubscribeOptions) -> Result<(), TopicError> {
    let pattern = Pattern::new(&options.pattern)?;
    let overflow = options.overflow.unwrap_or(Overflow::Close);
    let outbox = Rc::new_cyclic(|own| Outbox {
        own: Weak::clone(own),
        session: Rc::downgrade(session),
        mailbox: Mailbox::new(options.max_messages, options.max_bytes, overflow),
        gap_message: options.gap_message,
        is_sending: Cell::new(false),
    });
    unsubscribe(session, pattern.as_str());
    let registration = Hub::current().subscribe(pattern, outbox.clone());
    let subscriptions = session.attached::<Subscriptions>();
    subscriptions.0.borrow_mut().push(Held { registration, outbox });
    Ok(())
}

fn unsubscribe(session: &Session, pattern: &str) -> bool {
    let mut held = session.attached::<Subscriptions>().0.borrow_mut();
    let is_it = |held: &Held| held.registration.pattern().as_str() == pattern;
    let removed = held.iter().position(is_it).map(|place| held.swap_remove(place));
    // It may own values of the user.
    drop(held);
    removed.is_some()
}

/// What goes from a subscription to its socket.
struct Outbox {
    own: Weak<Self>,
    /// Not a reference that would keep the connection open.
    session: Weak<Session>,
    mailbox: Rc<Mailbox>,
    gap_message: Option<GapMessage>,
    /// Whether a task sends from the queue.
    is_sending: Cell<bool>,
}

impl Subscriber for Outbox {
    fn poll_room(&self, task: &TaskContext<'_>, bytes: usize) -> Poll<()> {
        self.mailbox.poll_room(task, bytes)
    }

    fn may_wait(&self) -> bool {
        self.mailbox.overflow() == Overflow::Wait
    }

    fn deliver(&self, delivery: &Rc<Delivery>) {
        let Some(session) = self.session.upgrade().filter(|session| session.is_open()) else {
            return self.mailbox.end();
        };
        if !self.is_sending.get() && session.try_send_prepared(delivery.prepared()) {
            return;
        }
        match self.mailbox.push(delivery) {
            Some(_) => self.begin_to_send(),
            None => close(&session, CloseCode::TRY_AGAIN_LATER, TOO_SLOW),
        }
    }

    fn gap(&self, gap: Gap) {
        self.mailbox.push_gap(gap);
        self.begin_to_send();
    }
}

/// The reason that a client receives with 1013.
const TOO_SLOW: &str = "messages were lost";

impl Outbox {
    fn begin_to_send(&self) {
        if let Some(own) = self.own.upgrade()
            && !self.is_sending.replace(true)
        {
            IOLoop::current().spawn_callback(async move { own.send_all().await });
        }
    }

    /// Sends what is in the queue.
    async fn send_all(&self) {
        while let Some(queued) = self.mailbox.pop() {
            // The peer may take everything at once.
            cooperate().await;
            let is_sent = match queued {
                Queued::Message(delivery) => self.send(delivery.prepared()).await,
                Queued::Gap(gap) => self.send_gap(gap).await,
            };
            if !is_sent {
                return self.mailbox.end();
            }
        }
        self.is_sending.set(false);
    }

    /// Sends a message. Returns `false` if the connection or the subscription has ended.
    async fn send(&self, message: &Prepared) -> bool {
        poll_fn(|task| match self.session.upgrade() {
            Some(session) if !self.mailbox.has_ended() => {
                session.poll_send_prepared(task, message).map(|sent| sent.is_ok())
            }
            _ => Poll::Ready(false),
        })
        .await
    }

    async fn send_gap(&self, gap: Gap) -> bool {
        let code = match &self.gap_message {
            Some(message) => match guard(|| message(gap)) {
                Ok(message) => return self.send(&Prepared::new(message)).await,
                Err(_) => CloseCode::INTERNAL_ERROR,
            },
            None if self.mailbox.overflow() == Overflow::DropOldest => return true,
            None => CloseCode::TRY_AGAIN_LATER,
        };
        if let Some(session) = self.session.upgrade() {
            close(&session, code, TOO_SLOW);
        }
        false
    }
}

fn close(session: &Session, code: CloseCode, reason: &'static str) {
    session.begin_close(CloseFrame::new(code, reason).ok().as_ref());
}
