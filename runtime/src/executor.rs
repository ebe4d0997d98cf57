//! Runs the tasks of a thread.
//!
//! A task is an [`async_task`] task. Only the thread of its loop runs and drops it. A task that is
//! woken on that thread goes into a plain queue. A task that another thread wakes goes into the
//! queue of the loop's [`Remote`], and the loop moves it to the plain one. The executor does not
//! know how the loop sleeps.
//!
//! # Layout
//!
//! - `spawned`: the two sides of a task, its future and its handle
//! - `waiter`: the number of a waiting task, which replaces its waker
//! - `remote`, `wake`: the queue for other threads, and how they wake the loop
//! - `caught`: calls of user code that may panic
//! - `join_error`, `sites`: why a task has no output; the lines at which tasks were spawned

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::slab::Slab;
use crate::{budget, pulse};

pub(crate) use caught::{caught, drop_late};
pub use join_error::JoinError;
pub(crate) use remote::{Message, Remote};
use sites::{Site, Sites};
pub(crate) use spawned::TaskHandle;
use spawned::{Ended, Spawned};
use waiter::CurrentTask;
pub(crate) use waiter::Waiter;

mod caught;
mod join_error;
mod remote;
mod sites;
mod spawned;
mod waiter;
mod wake;

/// The atomics of `wake`. The model in `tests/loom.rs` has another module of this name.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}

/// A task in a queue. Its metadata is the loop that it belongs to.
type Runnable = async_task::Runnable<Arc<Remote>>;

/// The executor of this thread.
struct Local {
    /// The address of the `Remote` of this thread's loop, or 0: the tasks with this address in
    /// their metadata belong to this thread.
    home: Cell<usize>,
    /// The tasks to run in the next turn.
    ready: RefCell<Vec<Runnable>>,
    /// The memory of the last batch, for the next one.
    spare: Cell<Vec<Runnable>>,
    /// The wakers of all tasks that have not ended. A [`Waiter`] wakes a task by its number, and
    /// the end of the thread drops all of them.
    tasks: RefCell<Slab<Waker>>,
    /// The spawn site of each task, by its number.
    task_sites: RefCell<Vec<Site>>,
    current: CurrentTask,
    /// The spawn site of the current task, or of the last one.
    site: Cell<Site>,
    sites: RefCell<Sites>,
    /// The wakers that do not belong to tasks, while a [`Waiter`] refers to them.
    foreign: RefCell<Slab<Waker>>,
    /// The thread is ending, so a future that is spawned now is dropped.
    closing: Cell<bool>,
}

thread_local! {
    // Without a destructor, because a waker in another thread-local may wake a task while the
    // thread ends. `shut_down` empties it.
    static LOCAL: ManuallyDrop<Local> = const {
        ManuallyDrop::new(Local {
            home: Cell::new(0),
            ready: RefCell::new(Vec::new()),
            spare: Cell::new(Vec::new()),
            tasks: RefCell::new(Slab::new()),
            task_sites: RefCell::new(Vec::new()),
            current: CurrentTask::none(),
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

/// Makes a task of `future` and queues it.
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

/// Returns the handle of a task that never runs.
fn cancelled<T: 'static>(remote: &Arc<Remote>) -> TaskHandle<T> {
    let builder = async_task::Builder::new().metadata(Arc::clone(remote));
    let (runnable, task) = builder.spawn_local(|_| pending::<Ended<T>>(), schedule);
    drop(runnable);
    TaskHandle::new(task)
}

/// Returns whether the thread is ending, and its loop with it.
pub(crate) fn is_closing() -> bool {
    LOCAL.with(|local| local.closing.get())
}

/// Queues a task that was woken or cancelled.
fn schedule(runnable: Runnable) {
    LOCAL.with(|local| {
        if local.home.get() == Arc::as_ptr(runnable.metadata()).addr() {
            local.ready.borrow_mut().push(runnable);
        } else {
            send_home(runnable);
        }
    });
}

fn send_home(runnable: Runnable) {
    let remote = Arc::clone(runnable.metadata());
    remote.send(Message::Run(runnable));
}

/// Runs each task that is in the queue now, once, and calls `ended` after each. Tasks that these
/// wake run in the next turn. Returns whether there are any.
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

/// Notes that no task runs from now on.
pub(crate) fn leave() {
    LOCAL.with(|local| local.enter(Site::NONE));
}

/// Shows the supervisor the spawn site of the running task.
pub(crate) fn show_site() {
    pulse::run(site);
}

impl Local {
    /// Stores the spawn site of a task.
    fn note_site(&self, index: u32, site: Site) {
        let mut sites = self.task_sites.borrow_mut();
        match sites.get_mut(index as usize) {
            Some(place) => *place = site,
            // Task numbers are assigned in order.
            None => sites.push(site),
        }
    }

    /// Notes that a task spawned at `site` runs from now on. Often, the task before has the same
    /// site.
    #[inline]
    fn enter(&self, site: Site) {
        if self.site.get() != site {
            self.site.set(site);
            show_site();
        }
    }
}

/// Returns the spawn site of the task that runs, or that has just run.
pub(crate) fn site() -> Option<&'static Location<'static>> {
    LOCAL.with(|local| local.sites.borrow().at(local.site.get()))
}

/// Returns the spawn sites of the tasks that have not ended, with the number of tasks at each.
/// Leaves out tasks without a known site, which exist if the program has too many sites.
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

/// Returns whether a task is in the queue.
#[inline]
pub(crate) fn is_ready() -> bool {
    LOCAL.with(|local| !local.ready.borrow().is_empty())
}

/// The number of messages from other threads that one turn receives. A thread that sends faster
/// must not keep the loop from its timers and descriptors.
const MESSAGES: u32 = 256;

/// Receives the messages of other threads. The next turn receives those that are left.
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

/// Prepares to sleep. If this returns `false`, another thread has sent a message, and the loop must
/// not sleep.
#[must_use]
pub(crate) fn park(remote: &Remote) -> bool {
    remote.signal.park()
}

/// Returns whether another thread has sent a message.
pub(crate) fn is_pending(remote: &Remote) -> bool {
    remote.signal.is_pending()
}

/// Undoes [`park`] after the sleep.
pub(crate) fn unpark(remote: &Remote) {
    remote.signal.unpark();
}

/// Drops all tasks of this thread now. Their wakers do nothing afterwards.
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
            // Another thread has marked a task as woken, and is about to send it.
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

/// Drops the tasks in both queues, with their futures.
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

/// Frees the remaining memory, once nothing waits for an event.
pub(crate) fn release() {
    LOCAL.with(|local| {
        let mut foreign = local.foreign.replace(Slab::new());
        (0..foreign.end()).for_each(|index| drop_late(foreign.remove(index)));
        drop(local.sites.replace(Sites::new()));
    });
}

#[cfg(test)]
mod tests;
