//! A subscription as a stream.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use futures_lite::Stream;

use super::delivery::{Delivery, Event, Gap};
use super::hub::{Hub, Registration, Subscriber};
use super::mailbox::{Mailbox, Queued};
use super::name::Pattern;
use super::options::{Overflow, SubscribeOptions};
use crate::error::{Error, Result};

/// Subscribes to a pattern, such as `"price/*"`, or to [`SubscribeOptions`].
///
/// # Errors
///
/// [`TopicError`](super::TopicError) if the pattern is not valid.
///
/// # Examples
///
/// ```
/// use squall::topics::{self, Event};
/// use squall::{IOLoop, Result};
///
/// async fn first_price() -> Result<Option<Event>> {
///     let mut prices = topics::subscribe("price/*")?;
///     topics::publish("price/gold", "2400").await?;
///     Ok(prices.next().await)
/// }
///
/// let price = IOLoop::current().run_sync(first_price())??;
/// let Some(Event::Message { topic, message }) = price else { panic!("{price:?}") };
/// assert_eq!((&*topic, message), ("price/gold", "2400".into()));
/// # Ok::<(), squall::Error>(())
/// ```
#[track_caller]
pub fn subscribe(options: impl Into<SubscribeOptions>) -> Result<Subscription> {
    let (options, place) = (options.into(), Location::caller());
    let pattern = Pattern::new(&options.pattern).map_err(|error| Error::at(place, error))?;
    let overflow = options.overflow.unwrap_or(Overflow::DropOldest);
    let mailbox = Mailbox::new(options.max_messages, options.max_bytes, overflow);
    let registration = Hub::current().subscribe(pattern, mailbox.clone());
    Ok(Subscription { mailbox, registration })
}

/// The messages that match a pattern, from [`subscribe`] on. It ends when this is dropped.
///
/// This is a [`Stream`] of [`Event`]s.
pub struct Subscription {
    mailbox: Rc<Mailbox>,
    registration: Registration,
}

impl Subscription {
    /// Waits for the next message or gap. Returns `None` if the queue was full and the policy is
    /// [`Overflow::Close`].
    ///
    /// Nothing is lost if the future is dropped.
    #[expect(clippy::should_implement_trait, reason = "the name is that of streams")]
    pub fn next(&mut self) -> impl Future<Output = Option<Event>> {
        poll_fn(|task| self.poll(task))
    }

    /// Returns how many messages wait in the queue.
    pub fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// Says whether nothing waits in the queue, not even a gap.
    pub fn is_empty(&self) -> bool {
        self.mailbox.is_empty()
    }

    /// Returns the pattern.
    pub fn pattern(&self) -> &Pattern {
        self.registration.pattern()
    }

    fn poll(&self, task: &TaskContext<'_>) -> Poll<Option<Event>> {
        self.mailbox.poll_next(task).map(|queued| match queued? {
            Queued::Message(delivery) => Some(delivery.event()),
            Queued::Gap(gap) => Some(Event::Gap(gap)),
        })
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Event>> {
        self.poll(task)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.mailbox.end();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern().as_str();
        f.debug_struct("Subscription").field("pattern", &pattern).finish_non_exhaustive()
    }
}

impl Subscriber for Mailbox {
    fn poll_room(&self, task: &TaskContext<'_>, bytes: usize) -> Poll<()> {
        self.poll_room(task, bytes)
    }

    fn may_wait(&self) -> bool {
        self.overflow() == Overflow::Wait
    }

    fn deliver(&self, delivery: &Rc<Delivery>) {
        self.push(delivery);
    }

    fn gap(&self, gap: Gap) {
        self.push_gap(gap);
    }
}
