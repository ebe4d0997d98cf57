//! Runs the tasks of a thread.
//!
//! A task is an [`async_task`] task, which the loop's thread runs and drops, and no other thread. A
//! task that is woken on that thread goes into a plain queue. A task that another thread wakes goes
//! into the queue of the loop's [`Remote`], and the loop moves it to the plain one. Nothing here
//! knows what the loop sleeps on.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::slab::Slab;
use crate::{budget, pulse};

pub(crate) use caught::caught;
pub use join_error::JoinError;
pub(crate) use late::drop_late;
pub(crate) use remote::{Message, Remote};
use sites::{Site, Sites};
pub(crate) use spawned::TaskHandle;
use spawned::{Ended, Spawned};
use waiter::Running;
pub(crate) use waiter::Waiter;

mod caught;
mod join_error;
mod late;
mod remote;
mod sites;
mod spawned;
mod waiter;
mod wake;

/// The atomics that `wake` uses. The model in `tests/loom.rs` has another module of this name.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}

/// A task that waits for its turn. Its metadata says which loop it belongs to.
type Runnable = async_task::Runnable<Arc<Remote>>;

/// The executor of this thread.
struct Local {
    /// The address of the `Remote` of this thread's loop, or 0: the tasks with this address in
    /// their metadata belong to this thread.
    home: Cell<usize>,
    /// The tasks to run on the next turn.
    ready: RefCell<Vec<Runnable>>,
    /// The memory of the queue that ran last, for the next one.
    spare: Cell<Vec<Runnable>>,
    /// The wakers of all tasks that are not done, so that a [`Waiter`] can wake a task by its
    /// number, and the end of the thread can drop all of them.
    tasks: RefCell<Slab<Waker>>,
    /// Where each of them was spawned, by its number.
    task_sites: RefCell<Vec<Site>>,
    running: Running,
    /// Where the task was spawned that runs now, or that ran last.
    site: Cell<Site>,
    sites: RefCell<Sites>,
    /// The wakers that do not belong to tasks, for as long as a [`Waiter`] refers to them.
    foreign: RefCell<Slab<Waker>>,
    /// The thread is about to end: a future that is spawned now is dropped.
    closing: Cell<bool>,
}

thread_local! {
    // Never destroyed, because a waker in some other thread-local may wake a task while the
    // thread ends. `shut_down` empties it.
    static LOCAL: ManuallyDrop<Local> = const {
        ManuallyDrop::new(Local {
            home: Cell::new(0),
            ready: RefCell::new(Vec::new()),
            spare: Cell::new(Vec::new()),
            tasks: RefCell::new(Slab::new()),
            task_sites: RefCell::new(Vec::new()),
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
        if local.closing.get() {
            drop_late(future);
            return cancelled(remote);
        }
        let site = local.sites.borrow_mut().number(spawned_at);
        let index = local.tasks.borrow_mut().insert(Waker::noop().clone());
        local.note_site(index, site);
        let spawned = Spawned::new(index, site, future);
        let builder = async_task::Builder::new().metadata(Arc::clone(remote));
        let (runnable, task) = builder.spawn_local(|_| spawned, schedule);
        if let Some(waker) = local.tasks.borrow_mut().at_mut(index) {
            *waker = runnable.waker();
        }
        local.ready.borrow_mut().push(runnable);
        TaskHandle::new(task)
    })
}

/// The handle of a task that was never run.
#[cold]
fn cancelled<T: 'static>(remote: &Arc<Remote>) -> TaskHandle<T> {
    let builder = async_task::Builder::new().metadata(Arc::clone(remote));
    let (runnable, task) = builder.spawn_local(|_| pending::<Ended<T>>(), schedule);
    drop(runnable);
    TaskHandle::new(task)
}

/// Says whether the thread ends, and its loop with it.
pub(crate) fn is_closing() -> bool {
    LOCAL.with(|local| local.closing.get())
}

/// Puts a task that was woken or cancelled into the queue of its loop.
fn schedule(runnable: Runnable) {
    LOCAL.with(|local| {
        if local.home.get() == Arc::as_ptr(runnable.metadata()).addr() {
            local.ready.borrow_mut().push(runnable);
        } else {
            send_home(runnable);
        }
    });
}

#[cold]
fn send_home(runnable: Runnable) {
    let remote = Arc::clone(runnable.metadata());
    remote.send(Message::Run(runnable));
}

/// Runs each task that is in the queue now, once, and calls `ended` after each. The tasks that
/// these wake wait for the next turn. Returns whether there are any.
pub(crate) fn run_ready(ended: impl Fn()) -> bool {
    LOCAL.with(|local| {
        let mut batch = mem::replace(&mut *local.ready.borrow_mut(), local.spare.take());
        for runnable in batch.drain(..) {
            budget::refill();
            runnable.run();
            ended();
        }
        local.spare.set(batch);
        !local.ready.borrow().is_empty()
    })
}

/// Says that no task runs from here on.
pub(crate) fn leave() {
    LOCAL.with(|local| local.enter(Site::NONE));
}

/// Shows the supervisor where the running task was spawned.
pub(crate) fn show_site() {
    pulse::run(site);
}

impl Local {
    /// Remembers where the task with this number was spawned.
    fn note_site(&self, index: u32, site: Site) {
        let mut sites = self.task_sites.borrow_mut();
        match sites.get_mut(index as usize) {
            Some(place) => *place = site,
            // Numbers are given one after the other.
            None => sites.push(site),
        }
    }

    /// Says that a task runs from here on that was spawned at `site`. This is mostly the line of the
    /// task before.
    #[inline]
    fn enter(&self, site: Site) {
        if self.site.get() != site {
            self.site.set(site);
            show_site();
        }
    }
}

/// Returns where the task was spawned that runs now, or that has just ended its turn.
pub(crate) fn site() -> Option<&'static Location<'static>> {
    LOCAL.with(|local| local.sites.borrow().at(local.site.get()))
}

/// Returns the lines at which the tasks that are not done were spawned, and how many at each. Tasks
/// whose line is not known, because the program has too many, are left out.
pub(crate) fn spawn_lines() -> Vec<(&'static Location<'static>, usize)> {
    LOCAL.with(|local| {
        let (tasks, task_sites) = (local.tasks.borrow(), local.task_sites.borrow());
        let mut lines: Vec<(&'static Location<'static>, usize)> = Vec::new();
        for index in (0..tasks.end()).filter(|&index| tasks.at(index).is_some()) {
            let site = task_sites.get(index as usize);
            let Some(line) = site.and_then(|&site| local.sites.borrow().at(site)) else { continue };
            match lines.iter_mut().find(|(other, _)| *other == line) {
                Some((_, count)) => *count += 1,
                None => lines.push((line, 1)),
            }
        }
        lines
    })
}

/// Says whether a task waits for its turn.
#[inline]
pub(crate) fn is_ready() -> bool {
    LOCAL.with(|local| !local.ready.borrow().is_empty())
}

/// Messages of other threads that are received on one turn. A thread that sends them faster than the
/// loop deals with them must not keep it from its timers and descriptors.
const MESSAGES: u32 = 256;

/// Receives what other threads have sent. What is left comes on the next turn.
#[inline]
pub(crate) fn receive(remote: &Arc<Remote>) {
    if remote.signal.take() {
        receive_some(remote);
    }
}

#[cold]
fn receive_some(remote: &Arc<Remote>) {
    for _ in 0..MESSAGES {
        let Some(message) = remote.receive() else { return };
        match message {
            Message::Run(runnable) => {
                LOCAL.with(|local| local.ready.borrow_mut().push(runnable));
            }
            Message::Call(callback, site) => spawn(remote, site, async { callback() }).detach(),
        }
    }
    remote.signal.leave_pending();
}

/// Prepares to sleep. If this returns false, another thread has sent something, and the loop must
/// not sleep.
#[must_use]
pub(crate) fn park(remote: &Remote) -> bool {
    remote.signal.park()
}

/// Says whether another thread has sent something.
pub(crate) fn is_pending(remote: &Remote) -> bool {
    remote.signal.is_pending()
}

/// Ends what [`park`] began.
pub(crate) fn unpark(remote: &Remote) {
    remote.signal.unpark();
}

/// Drops all tasks of this thread, here and now. A waker of one of them does nothing afterwards.
pub(crate) fn shut_down(remote: &Remote) {
    LOCAL.with(|local| {
        local.closing.set(true);
        remote.refuse_callbacks();
        loop {
            wake_all(local);
            drop_ready(local, remote);
            if local.tasks.borrow().is_empty() {
                break;
            }
            // Another thread has marked a task as woken, and is about to send it home.
            thread::yield_now();
        }
        leave();
        remote.close();
        remote.clear();
        drop(local.ready.take());
        drop(local.spare.take());
        drop(local.tasks.replace(Slab::new()));
        drop(local.task_sites.take());
        local.home.set(0);
    });
}

/// Wakes every task, which puts it into one of the two queues.
fn wake_all(local: &Local) {
    let end = local.tasks.borrow().end();
    for index in 0..end {
        let waker = local.tasks.borrow().at(index).cloned();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Drops the tasks in the two queues, and their futures with them.
fn drop_ready(local: &Local, remote: &Remote) {
    loop {
        let ready = local.ready.take();
        if ready.is_empty() {
            match remote.receive() {
                Some(message) => drop_late(message),
                None => return,
            }
        }
        drop(ready);
    }
}

/// Gives back the memory that is left, once nothing waits for an event any more.
pub(crate) fn release() {
    LOCAL.with(|local| {
        let mut foreign = local.foreign.replace(Slab::new());
        (0..foreign.end()).for_each(|index| drop_late(foreign.remove(index)));
        drop(local.sites.replace(Sites::new()));
    });
}

#[cfg(test)]
mod tests;
