//! A message on its way to many subscribers, and what a subscriber receives.

use std::cell::OnceCell;
use std::rc::Rc;

use super::MAX_MESSAGE;
use super::name::{TopicError, check_name};
use crate::types::text::Text;
use crate::websocket::{Message, Prepared};

/// A message to a topic. All subscribers of the thread share it.
#[derive(Debug)]
pub(super) struct Delivery {
    topic: Text,
    message: Message,
    prepared: OnceCell<Prepared>,
}

impl Delivery {
    pub(super) fn new(topic: &str, message: Message) -> Result<Rc<Self>, TopicError> {
        check_name(topic)?;
        if message.len() > MAX_MESSAGE {
            return Err(TopicError::MessageTooLong { length: message.len() });
        }
        Ok(Rc::new(Self { topic: Text::copied(topic), message, prepared: OnceCell::new() }))
    }

    pub(super) fn topic(&self) -> &Text {
        &self.topic
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    /// The message as sockets send it.
    pub(super) fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| Prepared::new(self.message.clone()))
    }

    pub(super) fn event(&self) -> Event {
        Event::Message { topic: self.topic.clone(), message: self.message.clone() }
    }
}

/// What a [`Subscription`](super::Subscription) receives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A message.
    Message {
        /// The topic to which it was published.
        topic: Text,
        /// The message, whose memory other subscribers share.
        message: Message,
    },
    /// Messages between the event before this one and the event after it are lost.
    Gap(Gap),
}

impl Event {
    /// Returns the message, or `None` for a gap.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message { message, .. } => Some(message),
            Self::Gap(_) => None,
        }
    }
}

/// Messages that a subscription has lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    lost: u64,
    is_exact: bool,
}

impl Gap {
    /// That many messages are lost.
    pub(super) fn exactly(lost: u64) -> Self {
        Self { lost, is_exact: true }
    }

    /// At most that many messages are lost.
    pub(super) fn at_most(lost: u64) -> Self {
        Self { lost, is_exact: false }
    }

    /// Returns how many messages are lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Says whether [`lost`](Self::lost) is the exact number. It is not after a
    /// [`Transport`](super::Transport) was interrupted. Then it is the most that can be lost, and
    /// `u64::MAX` if nothing is known.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Both gaps as one.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            lost: self.lost.saturating_add(other.lost),
            is_exact: self.is_exact && other.is_exact,
        }
    }
}
