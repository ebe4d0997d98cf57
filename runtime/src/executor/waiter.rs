//! The number that the reactor and the timers keep of a waiting task.
//!
//! Its waker would take four times the memory in each source and each timer, and two more atomic
//! operations per event.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ptr::{self, null};
use std::task::{RawWakerVTable, Waker};

use super::LOCAL;
use super::caught::caught;

/// A task or a foreign waker that an event will wake once. It takes four bytes, also as an
/// `Option`.
///
/// Read as `i32`: 0 is no waiter, positive a task, negative a foreign waker.
#[derive(Debug)]
pub(crate) struct Waiter(NonZeroU32);

/// The bit of a task. A billion tasks would not fit into memory, so the number has room.
const TASK: NonZeroU32 = bit(30);
/// The bit of a foreign waker: the waker of the future of `run_sync`, or of an executor inside a
/// task.
const FOREIGN: NonZeroU32 = bit(31);

/// The name of a foreign waker in log lines.
const WAKER: &str = "a waker";

const fn bit(bit: u32) -> NonZeroU32 {
    match NonZeroU32::new(1 << bit) {
        Some(bit) => bit,
        None => NonZeroU32::MIN,
    }
}

/// The target of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Task(u32),
    Foreign(u32),
}

impl Waiter {
    /// Makes a waiter that wakes like `waker`. Call this while nothing is borrowed, because cloning
    /// a foreign waker may run foreign code.
    #[inline]
    pub(crate) fn new(waker: &Waker) -> Self {
        match Self::of_current_task(waker) {
            Some(waiter) => waiter,
            None => Self::from(Target::Foreign(keep_foreign(waker))),
        }
    }

    /// Like [`new`](Self::new), but only if `waker` belongs to the current task. This runs no
    /// foreign code.
    #[inline]
    pub(crate) fn of_current_task(waker: &Waker) -> Option<Self> {
        LOCAL.with(|local| {
            let task = local.current.task.get();
            local.current.is_woken_by(waker).then_some(Self(task))
        })
    }

    /// Wakes the target. If the task has ended, another task may have its number, and is woken for
    /// nothing. Tasks must expect that anyway.
    #[inline(always)]
    pub(crate) fn wake(self) {
        match self.target() {
            Target::Task(index) => LOCAL.with(|local| {
                // This runs no user code: the task goes into the queue.
                if let Some(waker) = local.tasks.borrow().at(index) {
                    waker.wake_by_ref();
                }
            }),
            Target::Foreign(index) => {
                std::mem::forget(self);
                let waker = take_foreign(index);
                caught(WAKER, || waker.into_iter().for_each(Waker::wake));
            }
        }
    }

    /// Returns whether there is a task with this number. It may be another task than the one that
    /// waited.
    pub(crate) fn is_alive(&self) -> bool {
        match self.target() {
            Target::Task(index) => LOCAL.with(|local| local.tasks.borrow().at(index).is_some()),
            Target::Foreign(_) => true,
        }
    }

    #[inline]
    fn target(&self) -> Target {
        match self.0.get() & FOREIGN.get() {
            0 => Target::Task(self.0.get() ^ TASK.get()),
            _ => Target::Foreign(self.0.get() ^ FOREIGN.get()),
        }
    }
}

impl From<Target> for Waiter {
    #[inline]
    fn from(target: Target) -> Self {
        Self(match target {
            Target::Task(index) => TASK | index,
            Target::Foreign(index) => FOREIGN | index,
        })
    }
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        if let Target::Foreign(index) = self.target() {
            let waker = take_foreign(index);
            caught(WAKER, || drop(waker));
        }
    }
}

/// The task that runs now, or that ran last.
pub(super) struct CurrentTask {
    /// The waiter that wakes it.
    task: Cell<NonZeroU32>,
    /// The parts of its waker, for recognizing the waker.
    waker: Cell<(*const (), *const RawWakerVTable)>,
}

impl CurrentTask {
    pub(super) const fn none() -> Self {
        Self { task: Cell::new(TASK), waker: Cell::new((null(), null())) }
    }

    /// Sets the task that is polled next, and its waker.
    #[inline]
    pub(super) fn set(&self, index: u32, waker: &Waker) {
        self.task.set(TASK | index);
        self.waker.set((waker.data(), waker.vtable()));
    }

    #[inline]
    fn is_woken_by(&self, waker: &Waker) -> bool {
        let (data, vtable) = self.waker.get();
        data == waker.data() && ptr::eq(vtable, waker.vtable())
    }
}

#[cold]
fn keep_foreign(waker: &Waker) -> u32 {
    let waker = waker.clone();
    LOCAL.with(|local| local.foreign.borrow_mut().insert(waker))
}

/// Takes out a foreign waker. The caller wakes or drops it while nothing is borrowed, because both
/// may run foreign code.
#[cold]
fn take_foreign(index: u32) -> Option<Waker> {
    LOCAL.with(|local| local.foreign.borrow_mut().remove(index))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use super::*;
    use crate::IOLoop;
    use crate::testing::{run, waker_of};

    fn foreign_wakers() -> usize {
        LOCAL.with(|local| {
            let foreign = local.foreign.borrow();
            foreign.iter().count()
        })
    }

    #[test]
    fn a_task_is_woken_by_its_number() {
        run(async {
            // This future, which is no task, has registered for its time limit from here on.
            crate::yield_now().await;
            let before = foreign_wakers();
            let waiter = Rc::new(Cell::new(None));
            let place = Rc::clone(&waiter);
            let mut polls = 0;
            let task = IOLoop::current().spawn(poll_fn(move |cx| {
                polls += 1;
                place.set(Some(Waiter::new(cx.waker())));
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            }));
            crate::yield_now().await;
            assert_eq!(foreign_wakers(), before);
            waiter.take().unwrap().wake();
            task.await.unwrap();
            // The task has ended, and no task has its number.
            waiter.take().unwrap().wake();
        });
    }

    #[test]
    fn a_task_is_known_by_a_copy_of_its_waker_as_well() {
        run(async {
            crate::yield_now().await;
            let before = foreign_wakers();
            let waiter = Rc::new(Cell::new(None));
            let place = Rc::clone(&waiter);
            let mut polls = 0;
            let task = IOLoop::current().spawn(poll_fn(move |cx| {
                polls += 1;
                let copy = cx.waker().clone();
                place.set(Some(Waiter::new(&copy)));
                // The first poll uses a waker that all tasks share, later polls the task's own.
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            }));
            for _ in 0..2 {
                crate::yield_now().await;
                assert_eq!(foreign_wakers(), before);
                waiter.take().unwrap().wake();
            }
            task.await.unwrap();
        });
    }

    #[test]
    fn another_waker_is_kept_until_it_is_woken_or_dropped() {
        run(async {
            let before = foreign_wakers();
            let woken = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&woken);
            let waker = waker_of(move || _ = count.fetch_add(1, Ordering::SeqCst));
            let (first, second) = (Waiter::new(&waker), Waiter::new(&waker));
            assert_eq!(foreign_wakers(), before + 2);
            first.wake();
            drop(second);
            assert_eq!((woken.load(Ordering::SeqCst), foreign_wakers()), (1, before));
        });
    }

    #[test]
    fn a_waiter_takes_four_bytes() {
        assert_eq!((size_of::<Waiter>(), size_of::<Option<Waiter>>()), (4, 4));
    }
}
