//! The list of tasks, and the queue of those that are ready.

use std::future::Future;
use std::pin::Pin;

use super::sites::Site;
use crate::slab::{NONE, Slab};

pub(super) struct Tasks {
    /// All that are not done.
    pub(super) list: Slab<Listed>,
    /// Those to run on the next turn, by their numbers. `NONE` is in the place of one that has ended
    /// meanwhile.
    pub(super) ready: Vec<u32>,
}

impl Tasks {
    pub(super) const NONE: Self = Self { list: Slab::new(), ready: Vec::new() };

    /// Puts a task into the queue, unless it is there already or has ended.
    #[inline]
    pub(super) fn wake(&mut self, index: u32) {
        if let Some(task) = self.list.at_mut(index)
            && !task.woken
        {
            task.woken = true;
            self.ready.push(index);
        }
    }

    /// Takes the task in this place of the queue out of its own. Says which it is, where its waker is,
    /// and where it was spawned.
    #[inline]
    pub(super) fn take(&mut self, place: usize) -> Option<(u32, BoxedTask, u32, Site)> {
        let index = *self.ready.get(place)?;
        let task = self.list.at_mut(index)?;
        if !task.woken {
            return None;
        }
        task.woken = false;
        Some((index, task.future.take()?, task.waker, task.site))
    }

    /// Takes a task that has ended out of the list, and out of the queue: who gets its number next is
    /// not to get its turn as well.
    pub(super) fn remove(&mut self, index: u32) -> Option<Listed> {
        let ended = self.list.remove(index)?;
        if ended.woken
            && let Some(place) = self.ready.iter().rposition(|ready| *ready == index)
        {
            self.ready[place] = NONE;
        }
        Some(ended)
    }

    /// Takes the first ones, which have run, out of the queue, and says whether there are more.
    #[inline]
    pub(super) fn forget(&mut self, count: usize) -> bool {
        let more = self.ready.len() > count;
        if more {
            self.ready.drain(..count);
        } else {
            self.ready.clear();
        }
        more
    }
}

pub(super) type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

/// A task in the list of tasks. Each connection has one, so it is kept small.
pub(super) struct Listed {
    /// Empty while it is polled.
    pub(super) future: Option<BoxedTask>,
    /// Where its waker is, if it has one of its own, or `NONE`.
    pub(super) waker: u32,
    /// It is in the queue.
    pub(super) woken: bool,
    /// Where it was spawned.
    pub(super) site: Site,
}
