//! The settings of a subscription.

use std::fmt;
use std::rc::Rc;

use super::delivery::Gap;
use crate::websocket::Message;

/// What happens to a message for a subscription whose queue is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overflow {
    /// [`publish`](super::publish) waits until there is room. Messages from elsewhere wait as well,
    /// for all subscribers of this worker. Other workers do not wait: a worker that falls behind by
    /// more than the [`Transport`](super::Transport) holds loses messages, and learns how many.
    ///
    /// A task that publishes to its own subscription with this policy waits for itself.
    Wait,
    /// The oldest message in the queue is dropped, and counted as a [`Gap`].
    DropOldest,
    /// The subscription ends: a socket is closed with 1013 (try again later), and a stream ends
    /// after the messages in its queue.
    Close,
}

/// A pattern, and the settings of its subscription.
///
/// Made from a pattern alone, the settings have their defaults.
///
/// # Examples
///
/// ```
/// use squall::topics::{self, Overflow, SubscribeOptions};
///
/// let options = SubscribeOptions::new("price/*").max_messages(16).on_overflow(Overflow::Wait);
/// let prices = topics::subscribe(options)?;
/// # drop(prices);
/// # Ok::<(), squall::Error>(())
/// ```
#[derive(Clone)]
pub struct SubscribeOptions {
    pub(super) pattern: String,
    pub(super) max_messages: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Option<Overflow>,
    pub(super) gap_message: Option<GapMessage>,
}

/// Makes a message for the client of a gap.
pub(super) type GapMessage = Rc<dyn Fn(Gap) -> Message>;

/// How many messages a queue holds by default.
const MAX_MESSAGES: usize = 1024;

/// How many bytes of payload a queue holds by default.
const MAX_BYTES: usize = 1 << 20;

impl SubscribeOptions {
    /// Settings with their defaults. The pattern is checked by `subscribe`.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            max_messages: MAX_MESSAGES,
            max_bytes: MAX_BYTES,
            overflow: None,
            gap_message: None,
        }
    }

    /// Sets how many messages wait for the subscriber at most. The default is 1024. For a socket,
    /// this is in addition to its
    /// [`max_send_buffer`](crate::websocket::WebSocketOptions::max_send_buffer).
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    #[track_caller]
    #[must_use]
    pub fn max_messages(mut self, messages: usize) -> Self {
        assert!(messages > 0, "`SubscribeOptions::max_messages` must be at least 1");
        self.max_messages = messages;
        self
    }

    /// Sets how many bytes of payload wait for the subscriber at most. The default is 1 MiB. An
    /// empty queue takes one message of any size. Subscribers share the memory of a message, so
    /// the memory of a worker is less than the sum.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets what happens when the queue is full. The default is [`Overflow::DropOldest`] for a
    /// stream, which learns of the gap, and [`Overflow::Close`] for a socket, whose client would
    /// not.
    #[must_use]
    pub fn on_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Sets the message that a socket sends in the place of messages that are lost. Without it, a
    /// socket is closed with 1013 if messages are lost, except with [`Overflow::DropOldest`]: then
    /// its client is not told. A stream does not use this setting.
    ///
    /// If `message` panics, the socket is closed with 1011.
    #[must_use]
    pub fn gap_message<M: Into<Message>>(mut self, message: impl Fn(Gap) -> M + 'static) -> Self {
        self.gap_message = Some(Rc::new(move |gap| message(gap).into()));
        self
    }
}

impl From<&str> for SubscribeOptions {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

impl From<String> for SubscribeOptions {
    fn from(pattern: String) -> Self {
        Self::new(pattern)
    }
}

impl From<&String> for SubscribeOptions {
    fn from(pattern: &String) -> Self {
        Self::new(pattern)
    }
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("pattern", &self.pattern)
            .field("max_messages", &self.max_messages)
            .field("max_bytes", &self.max_bytes)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
