//! Who waits for an event: mostly a task of this thread.
//!
//! A task that waits for a descriptor or a timer is remembered by its number. Its waker would take
//! four times the room, in each source and each timer, and two atomic operations for each event.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::ptr::{self, null};
use std::task::{RawWakerVTable, Waker};

use super::LOCAL;

/// Somebody to be woken once: the number of a task or of a foreign waker, and a bit for which of
/// them. It takes four bytes, also as an `Option`.
#[derive(Debug)]
pub(crate) struct Waiter(NonZeroU32);

/// The bit of a task. Thousand million of them would not fit into memory.
const TASK: NonZeroU32 = bit(30);
/// The bit of a foreign waker: that of the future given to `run_sync`, or of a future inside somebody
/// else's executor. That nobody waits and that a task does is so told apart from this by the sign.
const FOREIGN: NonZeroU32 = bit(31);

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
            Whom::Task(index) => LOCAL.with(|local| local.wake(index)),
            Whom::Foreign(index) => {
                std::mem::forget(self);
                take_foreign(index).into_iter().for_each(Waker::wake);
            }
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
            drop(take_foreign(index));
        }
    }
}

/// The task that runs now, or has run before: then nobody else has the waker that it was lent.
pub(super) struct Running {
    /// What waits for an event if it does.
    task: Cell<NonZeroU32>,
    /// Where its waker lies.
    at: Cell<*const Waker>,
    /// What that is made of: enough to know it again elsewhere.
    waker: Cell<(*const (), *const RawWakerVTable)>,
}

impl Running {
    pub(super) const fn none() -> Self {
        Self { task: Cell::new(TASK), at: Cell::new(null()), waker: Cell::new((null(), null())) }
    }

    /// This one is polled next.
    #[inline]
    pub(super) fn begin(&self, index: u32) {
        self.task.set(TASK | index);
    }

    /// It is polled with this waker, and so are those after it.
    pub(super) fn lend(&self, waker: &Waker) {
        self.expect(waker);
        self.lie_at(waker);
    }

    /// The same, but it is not known yet where the waker will lie: another one may lie where it does
    /// now.
    pub(super) fn expect(&self, waker: &Waker) {
        self.at.set(null());
        self.waker.set((waker.data(), waker.vtable()));
    }

    /// The waker may have moved.
    #[inline]
    pub(super) fn lie_at(&self, waker: &Waker) {
        self.at.set(waker);
    }

    /// No task runs, and wakers may lie where that of one was.
    pub(super) fn end(&self) {
        self.at.set(null());
        self.waker.set((null(), null()));
    }

    #[inline]
    fn is_woken_by(&self, waker: &Waker) -> bool {
        ptr::eq(self.at.get(), waker) || self.is_woken_by_copy(waker)
    }

    #[cold]
    fn is_woken_by_copy(&self, waker: &Waker) -> bool {
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
    fn a_waker_that_lies_where_that_of_the_loop_was_made_is_another_one() {
        let remote = Arc::new(crate::executor::Remote::new());
        let batch = crate::executor::Batch::new(&remote);
        LOCAL.with(|local| assert!(local.running.at.get().is_null()));
        drop(batch);
        LOCAL.with(|local| assert!(local.running.at.get().is_null()));
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
