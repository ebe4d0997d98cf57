//! The bounded queue of a subscription.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::counts;
use super::delivery::{Delivery, Gap};
use super::options::Overflow;

/// What waits for a subscriber, in its order.
#[derive(Debug)]
pub(super) struct Mailbox {
    max_messages: usize,
    max_bytes: usize,
    overflow: Overflow,
    state: RefCell<State>,
}

#[derive(Debug)]
pub(super) enum Queued {
    Message(Rc<Delivery>),
    Gap(Gap),
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
    /// Without gaps.
    messages: usize,
    bytes: usize,
    has_ended: bool,
    receiver: Option<Waker>,
    publishers: Vec<Waker>,
}

impl Mailbox {
    pub(super) fn new(max_messages: usize, max_bytes: usize, overflow: Overflow) -> Rc<Self> {
        Rc::new(Self { max_messages, max_bytes, overflow, state: RefCell::default() })
    }

    pub(super) fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.borrow().queue.is_empty()
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.state.borrow().messages
    }

    /// Waits for room for a message of `bytes`.
    pub(super) fn poll_room(&self, task: &TaskContext<'_>, bytes: usize) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if state.has_ended || self.has_room(&state, bytes) {
            return Poll::Ready(());
        }
        if !state.publishers.iter().any(|waker| waker.will_wake(task.waker())) {
            state.publishers.push(task.waker().clone());
        }
        Poll::Pending
    }

    /// Appends a message. Returns how many messages were dropped, or `None` if the subscription has
    /// ended, perhaps because of this message.
    pub(super) fn push(&self, delivery: &Rc<Delivery>) -> Option<u64> {
        let bytes = delivery.message().len();
        let (mut dropped, mut lost) = (Vec::new(), 0);
        let mut state = self.state.borrow_mut();
        if state.has_ended {
            return None;
        }
        if !self.has_room(&state, bytes) {
            match self.overflow {
                // Room was awaited before, except for a message that came another way.
                Overflow::Wait => {}
                Overflow::DropOldest => lost = self.make_room(&mut state, bytes, &mut dropped),
                Overflow::Close => {
                    state.has_ended = true;
                    let woken = state.wake_all();
                    drop(state);
                    woken.into_iter().for_each(Waker::wake);
                    return None;
                }
            }
        }
        state.messages += 1;
        state.bytes += bytes;
        state.queue.push_back(Queued::Message(Rc::clone(delivery)));
        let receiver = state.receiver.take();
        drop(state);
        // Both may run code of the user.
        drop(dropped);
        counts::queued(1, lost);
        counts::lost(lost);
        receiver.into_iter().for_each(Waker::wake);
        Some(lost)
    }

    /// Notes that messages are lost after those in the queue.
    pub(super) fn push_gap(&self, gap: Gap) {
        let mut state = self.state.borrow_mut();
        match state.queue.back_mut() {
            Some(Queued::Gap(last)) => *last = last.and(gap),
            _ => state.queue.push_back(Queued::Gap(gap)),
        }
        let receiver = state.receiver.take();
        drop(state);
        counts::lost(gap.lost());
        receiver.into_iter().for_each(Waker::wake);
    }

    /// Takes the oldest entry. Is ready with `None` once the subscription has ended.
    pub(super) fn poll_next(&self, task: &TaskContext<'_>) -> Poll<Option<Queued>> {
        if let Some(queued) = self.pop() {
            return Poll::Ready(Some(queued));
        }
        if self.has_ended() {
            return Poll::Ready(None);
        }
        let replaced = self.state.borrow_mut().receiver.replace(task.waker().clone());
        drop(replaced);
        Poll::Pending
    }

    /// Takes the oldest entry, if there is one.
    pub(super) fn pop(&self) -> Option<Queued> {
        let mut state = self.state.borrow_mut();
        let queued = state.queue.pop_front()?;
        if let Queued::Message(delivery) = &queued {
            state.messages -= 1;
            state.bytes -= delivery.message().len();
            counts::queued(0, 1);
        }
        let publishers = std::mem::take(&mut state.publishers);
        drop(state);
        publishers.into_iter().for_each(Waker::wake);
        Some(queued)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.borrow().has_ended
    }

    /// Ends the subscription, and drops what waits.
    pub(super) fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.has_ended = true;
        let woken = state.wake_all();
        let queue = std::mem::take(&mut state.queue);
        counts::queued(0, state.messages as u64);
        (state.messages, state.bytes) = (0, 0);
        drop(state);
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
    }

    fn has_room(&self, state: &State, bytes: usize) -> bool {
        let fits = || state.bytes.saturating_add(bytes) <= self.max_bytes;
        state.messages == 0 || (state.messages < self.max_messages && fits())
    }

    /// Drops the oldest messages until there is room, and puts a gap in their place.
    fn make_room(&self, state: &mut State, bytes: usize, dropped: &mut Vec<Queued>) -> u64 {
        let mut lost = 0;
        let mut gap = Gap::exactly(0);
        while !self.has_room(state, bytes)
            && let Some(oldest) = state.queue.pop_front()
        {
            match &oldest {
                Queued::Message(delivery) => {
                    state.messages -= 1;
                    state.bytes -= delivery.message().len();
                    lost += 1;
                    gap = gap.and(Gap::exactly(1));
                }
                Queued::Gap(earlier) => gap = gap.and(*earlier),
            }
            dropped.push(oldest);
        }
        match state.queue.front_mut() {
            Some(Queued::Gap(next)) => *next = gap.and(*next),
            _ => state.queue.push_front(Queued::Gap(gap)),
        }
        lost
    }
}

impl State {
    fn wake_all(&mut self) -> Vec<Waker> {
        let publishers = std::mem::take(&mut self.publishers);
        publishers.into_iter().chain(self.receiver.take()).collect()
    }
}
