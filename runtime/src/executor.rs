//! Runs the tasks of a thread.
//!
//! A task is a place in a list, which owns its future. The future is polled and dropped by this
//! thread and no other. What others have of a task is its waker, which knows its number and where
//! its home is: at home it puts the number into a plain queue; elsewhere it sends a message to the
//! loop's [`Remote`]. Nothing here knows what the loop sleeps on.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::slab::{NONE, Slab};
use crate::{budget, pulse};

use caught::{drop_caught, report};
pub use join_error::JoinError;
use joined::Joined;
pub(crate) use joined::TaskHandle;
pub(crate) use remote::{Message, Remote};
use sites::{Site, Sites};
use task_waker::Lent;
use tasks::{BoxedTask, Listed, Tasks};
use waiter::Running;
pub(crate) use waiter::Waiter;

mod caught;
mod join_error;
mod joined;
mod remote;
mod sites;
mod task_waker;
mod tasks;
mod waiter;
mod wake;

/// What `wake` is built from; the model in `tests/loom.rs` has another module of this name.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
}

/// The executor of this thread.
struct Local {
    /// The address of the `Remote` of this thread's loop, or 0. A waker that finds the address of
    /// its own here is at home.
    home: Cell<usize>,
    tasks: RefCell<Tasks>,
    /// The wakers of those tasks that have kept one.
    wakers: RefCell<Slab<Lent>>,
    running: Running,
    /// Where the task was spawned that runs now, or has run before.
    site: Cell<Site>,
    sites: RefCell<Sites>,
    /// The wakers that are not those of tasks, as long as a [`Waiter`] stands for them.
    foreign: RefCell<Slab<Waker>>,
    /// The thread is about to end: what is spawned now is dropped.
    closing: Cell<bool>,
}

thread_local! {
    // Never destroyed, because a waker in some other thread-local may wake a task while the
    // thread ends; `shut_down` empties it.
    static LOCAL: ManuallyDrop<Local> = const {
        ManuallyDrop::new(Local {
            home: Cell::new(0),
            tasks: RefCell::new(Tasks::NONE),
            wakers: RefCell::new(Slab::new()),
            running: Running::none(),
            site: Cell::new(Site::NONE),
            sites: RefCell::new(Sites::new()),
            foreign: RefCell::new(Slab::new()),
            closing: Cell::new(false),
        })
    };
}

/// Makes this thread the home of the tasks of `remote`.
pub(crate) fn settle(remote: &Arc<Remote>) {
    LOCAL.with(|local| local.home.set(Arc::as_ptr(remote).addr()));
}

fn is_home(remote: &Arc<Remote>) -> bool {
    LOCAL.with(|local| local.home.get() == Arc::as_ptr(remote).addr())
}

/// Makes a task of `future` and puts it into the queue.
pub(crate) fn spawn<F>(
    remote: &Arc<Remote>,
    spawned_at: &'static Location<'static>,
    future: F,
) -> TaskHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    LOCAL.with(|local| {
        let index = local.reserve(spawned_at);
        let (joined, handle) = Joined::new(remote, index, future);
        local.begin(index, joined);
        handle
    })
}

/// Makes a task of `future` that nobody waits for, and puts it into the queue.
pub(crate) fn spawn_detached<F>(spawned_at: &'static Location<'static>, future: F)
where
    F: Future<Output = ()> + 'static,
{
    LOCAL.with(|local| local.begin(local.reserve(spawned_at), future));
}

/// The loop's own part of the executor, which lives as long as it runs.
pub(crate) struct Batch {
    lent: Lent,
}

impl Batch {
    pub(crate) fn new(remote: &Arc<Remote>) -> Self {
        let lent = Lent::new(remote);
        LOCAL.with(|local| local.running.expect(lent.waker()));
        Self { lent }
    }

    /// Runs each task that is in the queue now, once, and calls `ended` after each. What they wake
    /// waits for the next turn. Says whether there is any.
    pub(crate) fn run_ready(&mut self, ended: impl Fn()) -> bool {
        LOCAL.with(|local| {
            local.running.lie_at(self.lent.waker());
            let mut tasks = local.tasks.borrow_mut();
            let count = tasks.ready.len();
            // A panic that leaves the loop between two tasks leaves all of them in the queue. Those
            // that have run by now are passed over.
            for place in 0..count {
                if let Some((index, future, waker, site)) = tasks.take(place) {
                    drop(tasks);
                    budget::refill();
                    local.enter(site);
                    local.run(index, future, waker, &mut self.lent);
                    ended();
                    tasks = local.tasks.borrow_mut();
                }
            }
            tasks.forget(count)
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        LOCAL.with(|local| local.running.end());
        leave();
    }
}

/// What runs from here on is no task.
pub(crate) fn leave() {
    LOCAL.with(|local| local.enter(Site::NONE));
}

/// Shows who looks from outside where the task was spawned that runs now.
pub(crate) fn show_site() {
    pulse::run(site);
}

impl Local {
    /// A place for a task that is about to begin.
    fn reserve(&self, spawned_at: &'static Location<'static>) -> u32 {
        let site = self.sites.borrow_mut().number(spawned_at);
        let listed = Listed { future: None, waker: NONE, woken: true, site };
        self.tasks.borrow_mut().list.insert(listed)
    }

    /// Puts a task into its place, and into the queue.
    fn begin(&self, index: u32, future: impl Future<Output = ()> + 'static) {
        if self.closing.get() {
            self.tasks.borrow_mut().list.remove(index);
            return drop_caught(future);
        }
        let future = Box::pin(future);
        let mut tasks = self.tasks.borrow_mut();
        if let Some(listed) = tasks.list.at_mut(index) {
            listed.future = Some(future);
        }
        tasks.ready.push(index);
    }

    #[inline]
    fn wake(&self, index: u32) {
        self.tasks.borrow_mut().wake(index);
    }

    /// What runs from here on was spawned there. Mostly it is the line of the task before.
    #[inline]
    fn enter(&self, site: Site) {
        if self.site.get() != site {
            self.site.set(site);
            show_site();
        }
    }

    #[inline]
    fn run(&self, index: u32, mut future: BoxedTask, waker: u32, lent: &mut Lent) {
        let (pending, place) = if waker == NONE {
            lent.lend(index);
            self.running.begin(index);
            let pending = poll(&mut future, lent.waker());
            (pending, if lent.is_kept() { self.leave(lent) } else { NONE })
        } else {
            let ran = self.run_with_own(index, &mut future, waker);
            self.running.lend(lent.waker());
            ran
        };
        if !pending {
            return self.end(index, future, place);
        }
        if let Some(task) = self.tasks.borrow_mut().list.at_mut(index) {
            task.waker = place;
            // It is empty, which the compiler does not know.
            std::mem::forget(task.future.replace(future));
        }
    }

    /// Polls a task that has a waker of its own. Says whether it goes on, and where its waker is
    /// afterwards.
    #[inline(never)]
    fn run_with_own(&self, index: u32, future: &mut BoxedTask, waker: u32) -> (bool, u32) {
        let Some(lent) = self.wakers.borrow_mut().remove(waker) else { return (false, NONE) };
        self.running.begin(index);
        self.running.lend(lent.waker());
        let pending = poll(future, lent.waker());
        (pending, if lent.is_kept() { self.keep(lent) } else { NONE })
    }

    /// Leaves the waker to the task that has kept it, and says where it is.
    #[cold]
    fn leave(&self, lent: &mut Lent) -> u32 {
        let place = self.keep(lent.leave());
        self.running.lend(lent.waker());
        place
    }

    #[inline(never)]
    fn keep(&self, waker: Lent) -> u32 {
        self.wakers.borrow_mut().insert(waker)
    }

    #[inline(never)]
    fn end(&self, index: u32, future: BoxedTask, waker: u32) {
        drop_caught(future);
        let ended = self.tasks.borrow_mut().remove(index);
        let waker = self.wakers.borrow_mut().remove(waker);
        drop((ended, waker));
    }
}

/// Whether the task goes on. It does not if it panics.
#[inline]
fn poll(future: &mut BoxedTask, waker: &Waker) -> bool {
    let cx = &mut Context::from_waker(waker);
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => true,
        Ok(Poll::Ready(())) => false,
        Err(payload) => {
            report(&*payload);
            drop_caught(payload);
            false
        }
    }
}

/// Where the task that runs now was spawned, or that has just given the loop back.
pub(crate) fn site() -> Option<&'static Location<'static>> {
    LOCAL.with(|local| local.sites.borrow().at(local.site.get()))
}

/// Says whether a task waits for its turn.
#[inline]
pub(crate) fn is_ready() -> bool {
    LOCAL.with(|local| !local.tasks.borrow().ready.is_empty())
}

/// Brings home what other threads have sent.
#[inline]
pub(crate) fn receive(remote: &Remote) {
    if remote.signal.take() {
        receive_all(remote);
    }
}

#[cold]
fn receive_all(remote: &Remote) {
    while let Some(message) = remote.receive() {
        match message {
            Message::Wake(waker) => LOCAL.with(|local| local.wake(waker.received())),
            Message::Look(index) => LOCAL.with(|local| local.wake(index)),
            Message::Call(callback, site) => spawn_detached(site, async { callback() }),
        }
    }
}

/// Prepares to sleep. False: something has come, so don't.
#[must_use]
pub(crate) fn park(remote: &Remote) -> bool {
    remote.signal.park()
}

/// Says whether something has come from another thread.
pub(crate) fn is_pending(remote: &Remote) -> bool {
    remote.signal.is_pending()
}

/// The opposite of [`park`].
pub(crate) fn unpark(remote: &Remote) {
    remote.signal.unpark();
}

/// Drops all tasks of this thread, here and now. Whoever wakes one of them afterwards wakes
/// nothing.
pub(crate) fn shut_down(remote: &Remote) {
    LOCAL.with(|local| {
        local.closing.set(true);
        let end = local.tasks.borrow().list.end();
        for index in 0..end {
            let task = local.tasks.borrow_mut().list.remove(index);
            drop_caught(task);
        }
        remote.close();
        remote.clear();
        drop(local.tasks.replace(Tasks::NONE));
        drop(local.wakers.replace(Slab::new()));
        local.home.set(0);
    });
}

/// Gives back the memory that is left, once nobody waits for an event any more.
pub(crate) fn release() {
    LOCAL.with(|local| {
        drop(local.foreign.replace(Slab::new()));
        drop(local.sites.replace(Sites::new()));
    });
}

#[cfg(test)]
mod tests;
