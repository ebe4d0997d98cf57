//! Who waits for an event: mostly a task of this thread.
//!
//! The reactor and the timers remember a waiting task by its number. Its waker would take four times
//! the room in each source and each timer, and two more atomic operations for each event.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ptr::{self, null};
use std::task::{RawWakerVTable, Waker};

use super::LOCAL;
use super::caught::caught;

/// Somebody to be woken once: the number of a task or of a foreign waker, and a bit for which of
/// them. It takes four bytes, also as an `Option`.
#[derive(Debug)]
pub(crate) struct Waiter(NonZeroU32);

/// The bit of a task. Thousand million of them would not fit into memory.
const TASK: NonZeroU32 = bit(30);
/// The bit of a foreign waker: that of the future given to `run_sync`, or of a future inside somebody
/// else's executor. That nobody waits and that a task does is so told apart from this by the sign.
const FOREIGN: NonZeroU32 = bit(31);

/// What a log line calls a foreign waker.
const WAKER: &str = "a waker";

const fn bit(bit: u32) -> NonZeroU32 {
    match NonZeroU32::new(1 << bit) {
        Some(bit) => bit,
        None => NonZeroU32::MIN,
    }
}

/// What a waiter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Task(u32),
    Foreign(u32),
}

impl Waiter {
    /// Whom `waker` wakes. To be called where nothing is borrowed: a foreign waker is cloned, which
    /// may run anybody's code.
    #[inline]
    pub(crate) fn new(waker: &Waker) -> Self {
        match Self::of_running(waker) {
            Some(waiter) => waiter,
            None => Self::from(Whom::Foreign(keep_foreign(waker))),
        }
    }

    /// The same if it is the task that runs now, which runs nobody's code.
    #[inline]
    pub(crate) fn of_running(waker: &Waker) -> Option<Self> {
        LOCAL.with(|local| {
            let task = local.running.task.get();
            local.running.is_woken_by(waker).then_some(Self(task))
        })
    }

    /// Wakes it. If the task is gone, another one may have its number by now: that is woken for
    /// nothing, which tasks have to bear anyway.
    #[inline(always)]
    pub(crate) fn wake(self) {
        match self.whom() {
            Whom::Task(index) => LOCAL.with(|local| {
                // This runs no user code: the task goes into the queue.
                if let Some(waker) = local.tasks.borrow().at(index) {
                    waker.wake_by_ref();
                }
            }),
            Whom::Foreign(index) => {
                std::mem::forget(self);
                let waker = take_foreign(index);
                caught(WAKER, || waker.into_iter().for_each(Waker::wake));
            }
        }
    }

    /// Says whether a task with this number is left. It may be another one than that which waited.
    pub(crate) fn is_alive(&self) -> bool {
        match self.whom() {
            Whom::Task(index) => LOCAL.with(|local| local.tasks.borrow().at(index).is_some()),
            Whom::Foreign(_) => true,
        }
    }

    #[inline]
    fn whom(&self) -> Whom {
        match self.0.get() & FOREIGN.get() {
            0 => Whom::Task(self.0.get() ^ TASK.get()),
            _ => Whom::Foreign(self.0.get() ^ FOREIGN.get()),
        }
    }
}

impl From<Whom> for Waiter {
    #[inline]
    fn from(whom: Whom) -> Self {
        Self(match whom {
            Whom::Task(index) => TASK | index,
            Whom::Foreign(index) => FOREIGN | index,
        })
    }
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        if let Whom::Foreign(index) = self.whom() {
            let waker = take_foreign(index);
            caught(WAKER, || drop(waker));
        }
    }
}

/// The task that runs now, or that ran last.
pub(super) struct Running {
    /// The waiter that wakes it.
    task: Cell<NonZeroU32>,
    /// The parts of its waker, by which the waker is recognised.
    waker: Cell<(*const (), *const RawWakerVTable)>,
}

impl Running {
    pub(super) const fn none() -> Self {
        Self { task: Cell::new(TASK), waker: Cell::new((null(), null())) }
    }

    /// Says that the task with this number is polled next, with this waker.
    #[inline]
    pub(super) fn begin(&self, index: u32, waker: &Waker) {
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

/// A foreign waker, to be woken or dropped where nothing is borrowed: both may run anybody's code.
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
            // From here on this future, which is no task, waits for its limit of time.
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
            // It is done, and nobody has its number.
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
                // The first time it is polled with a waker that all have, then with its own.
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
    fn it_takes_four_bytes() {
        assert_eq!((size_of::<Waiter>(), size_of::<Option<Waiter>>()), (4, 4));
    }
}
