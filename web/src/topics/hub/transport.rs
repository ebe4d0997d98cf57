//! How messages reach subscribers outside of this thread.

use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use super::Hub;
use crate::error::Result;
use crate::topics::delivery::{Delivery, Gap};
use crate::topics::name::{Pattern, TopicError};
use crate::types::text::Text;
use crate::websocket::Message;

/// Carries messages between the threads, processes or hosts that share topics.
///
/// The framework delivers a message to the subscribers of the thread that publishes it. The
/// transport carries it to all *others*, and hands what comes from others to its [`Inbox`]. A
/// broker that sends a message back to its publisher needs a mark to tell such messages.
///
/// # Contract
///
/// - **Order.** Messages of one publisher to one topic arrive in the order of
///   [`poll_publish`](Self::poll_publish), each at most once.
/// - **Loss.** For each message that does not arrive, the transport calls [`Inbox::lost`] in its
///   place. If it does not know how many were lost, it calls [`Inbox::interrupted`].
/// - **Reconnect.** A transport that has lost its connection connects again by itself, subscribes
///   to [`Inbox::patterns`], and calls [`Inbox::interrupted`].
///
/// No method may block. Set a transport with [`use_transport`].
///
/// # Examples
///
/// A transport that only counts:
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::task::{Context, Poll};
///
/// use squall::topics::{self, Inbox, Pattern, Transport};
/// use squall::websocket::Message;
/// use squall::{IOLoop, Result, Text};
///
/// struct Counting(Rc<Cell<u32>>);
///
/// impl Transport for Counting {
///     fn attach(&self, _: Inbox) {}
///     fn poll_publish(&self, _: &mut Context<'_>, _: &Text, _: &Message) -> Poll<Result> {
///         self.0.set(self.0.get() + 1);
///         Poll::Ready(Ok(()))
///     }
///     fn subscribe(&self, _: &Pattern) {}
///     fn unsubscribe(&self, _: &Pattern) {}
/// }
///
/// let published = Rc::new(Cell::new(0));
/// assert!(topics::use_transport(Counting(Rc::clone(&published))));
/// IOLoop::current().run_sync(topics::publish("a", "hello"))??;
/// assert_eq!(published.get(), 1);
/// # Ok::<(), squall::Error>(())
/// ```
pub trait Transport {
    /// Begins: what comes from others goes to `inbox`. Called once, before all other methods.
    fn attach(&self, inbox: Inbox);

    /// Takes a message for the others. Is ready when the transport has taken the message: from then
    /// on the message arrives even if this process dies, as far as the transport can promise.
    ///
    /// While it returns `Pending`, nothing of the message may be sent, because the caller may give
    /// up. The transport must wake the task when it may try again.
    ///
    /// # Errors
    ///
    /// Any error, if the message cannot be sent. Then it is not delivered within the thread either,
    /// and [`publish`](crate::topics::publish) returns the error.
    fn poll_publish(
        &self,
        task: &mut TaskContext<'_>,
        topic: &Text,
        message: &Message,
    ) -> Poll<Result>;

    /// Notes that this thread has a subscriber for `pattern` from now on.
    fn subscribe(&self, pattern: &Pattern);

    /// Notes that the last subscriber of this thread for `pattern` is gone.
    fn unsubscribe(&self, pattern: &Pattern);
}

/// Carries the messages of this thread by `transport`. Call it at the start of each worker, when
/// the application is built.
///
/// Returns `false`, and does nothing, if topics of this thread were used before.
pub fn use_transport(transport: impl Transport + 'static) -> bool {
    Hub::current().set_transport(transport)
}

/// Takes messages from a [`Transport`] to the subscribers of this thread.
#[derive(Clone, Debug)]
pub struct Inbox {
    hub: Weak<Hub>,
}

impl Inbox {
    pub(super) fn new(hub: &Rc<Hub>) -> Self {
        Self { hub: Rc::downgrade(hub) }
    }

    /// Delivers a message. Waits for subscribers with [`Overflow::Wait`](crate::topics::Overflow::Wait)
    /// whose queue is full. Deliver the next message after that.
    ///
    /// # Errors
    ///
    /// [`TopicError`] if [`publish`](crate::topics::publish) would not accept the name or the message.
    pub async fn deliver(
        &self,
        topic: &str,
        message: impl Into<Message>,
    ) -> Result<(), TopicError> {
        let delivery = Delivery::new(topic, message.into())?;
        poll_fn(|task| match self.hub.upgrade() {
            Some(hub) => hub.poll_deliver(task, &delivery),
            None => Poll::Ready(()),
        })
        .await;
        Ok(())
    }

    /// Notes that exactly `count` messages to `topic` are lost. They count for every subscription
    /// that matches.
    pub fn lost(&self, topic: &str, count: u64) {
        if let Some(hub) = self.hub.upgrade() {
            hub.lost(topic, Gap::exactly(count));
        }
    }

    /// Notes that at most `count` messages to any topics are lost.
    pub fn lost_at_most(&self, count: u64) {
        if let Some(hub) = self.hub.upgrade() {
            hub.lost_any(Gap::at_most(count));
        }
    }

    /// Notes that an unknown number of messages to any topics may be lost.
    pub fn interrupted(&self) {
        self.lost_at_most(u64::MAX);
    }

    /// Says whether a subscription matches `topic`. If not, there is no need to deliver.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.hub.upgrade().is_some_and(|hub| hub.is_subscribed(topic))
    }

    /// Returns all patterns that this thread has subscribers for, each once.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.hub.upgrade().map(|hub| hub.patterns()).unwrap_or_default()
    }
}

/// There are no others.
pub(super) struct Alone;

impl Transport for Alone {
    fn attach(&self, _: Inbox) {}

    fn poll_publish(&self, _: &mut TaskContext<'_>, _: &Text, _: &Message) -> Poll<Result> {
        Poll::Ready(Ok(()))
    }

    fn subscribe(&self, _: &Pattern) {}

    fn unsubscribe(&self, _: &Pattern) {}
}
