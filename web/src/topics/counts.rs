//! What the metrics say about the topics of this thread.

use std::cell::Cell;

use crate::scoreboard::Page;
use crate::scoreboard::page_of_thread::existing;

thread_local! {
    static QUEUED: Cell<u64> = const { Cell::new(0) };
}

/// Counts messages that enter or leave the queue of a subscription.
pub(super) fn queued(entered: u64, left: u64) {
    let queued = (QUEUED.get() + entered).saturating_sub(left);
    QUEUED.set(queued);
    with_page(|page| page.set_queued(queued));
}

/// Writes how many patterns and subscriptions there are.
pub(super) fn subscriptions(patterns: usize, subscriptions: usize) {
    with_page(|page| page.set_subscriptions(patterns, subscriptions));
}

pub(super) fn published() {
    with_page(Page::topic_published);
}

/// Counts a message for so many subscriptions.
pub(super) fn delivered(subscriptions: usize) {
    with_page(|page| page.topic_delivered(subscriptions));
}

/// Counts messages that a subscription has lost. An unknown number counts as one.
pub(super) fn lost(messages: u64) {
    with_page(|page| page.topic_lost(if messages == u64::MAX { 1 } else { messages }));
}

/// A thread without a server counts nothing.
fn with_page(count: impl FnOnce(Page)) {
    if let Some(page) = existing() {
        count(page);
    }
}
