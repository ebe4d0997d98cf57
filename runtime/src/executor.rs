//! Runs the tasks of a thread.
//!
//! A task that is woken on its own thread goes into a plain queue; one woken by another thread
//! goes into the loop's [`Remote`], and comes home from there. Nothing here knows what the loop
//! sleeps on.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::slab::{self, Slab};
use crate::{budget, pulse};

pub use join_error::JoinError;
pub(crate) use remote::{Message, Remote};
use spawned::Spawned;
use waiter::Running;
pub(crate) use waiter::Waiter;

mod join_error;
mod remote;
mod spawned;
mod waiter;
mod wake;

/// What `wake` is built from; the model in `tests/loom.rs` has another module of this name.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}

/// A task knows where its home is.
pub(crate) type Runnable = async_task::Runnable<Arc<Remote>>;
pub(crate) type TaskHandle<T> = async_task::FallibleTask<Result<T, JoinError>, Arc<Remote>>;

/// The executor of this thread.
struct Local {
    /// The address of the `Remote` of this thread's loop, or 0. A task that finds the address of
    /// its own here is at home.
    home: Cell<usize>,
    /// The tasks to run on the next turn.
    ready: RefCell<Vec<Runnable>>,
    /// All tasks that are not done, so that they can be dropped when the thread ends.
    tasks: RefCell<Slab<Listed>>,
    running: Cell<Running>,
    /// Where that one was spawned.
    site: Cell<Option<&'static Location<'static>>>,
    /// The wakers that are not those of tasks, as long as a [`Waiter`] stands for them.
    foreign: RefCell<Slab<Waker>>,
    /// The thread is about to end: what is spawned now is dropped.
    closing: Cell<bool>,
}

/// A task in the list of tasks.
struct Listed {
    waker: Waker,
    spawned_at: &'static Location<'static>,
}

thread_local! {
    // Never destroyed, because a waker in some other thread-local may schedule a task while the
    // thread ends; `shut_down` empties it.
    static LOCAL: ManuallyDrop<Local> = const {
        ManuallyDrop::new(Local {
            home: Cell::new(0),
            ready: RefCell::new(Vec::new()),
            tasks: RefCell::new(Slab::new()),
            running: Cell::new(Running::NONE),
            site: Cell::new(None),
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
    let builder = async_task::Builder::new().metadata(Arc::clone(remote));
    LOCAL.with(|local| {
        if local.closing.get() {
            let spawned = Spawned::new(slab::NONE, future);
            let (runnable, task) = builder.spawn_local(|_| spawned, schedule);
            drop(runnable);
            return task.fallible();
        }
        let listed = Listed { waker: Waker::noop().clone(), spawned_at };
        let index = local.tasks.borrow_mut().insert(listed);
        let spawned = Spawned::new(index, future);
        let (runnable, task) = builder.spawn_local(|_| spawned, schedule);
        let waker = runnable.waker();
        if let Some(listed) = local.tasks.borrow_mut().at_mut(index) {
            listed.waker = waker;
        }
        local.ready.borrow_mut().push(runnable);
        task.fallible()
    })
}

/// Where a task goes when it is woken. A plain function, for which async-task needs no more
/// reference counting than the waker has done already.
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

/// Runs each task that is in the queue now, once, and tells `ended` where it was spawned. What
/// they wake waits for the next turn: `batch` changes places with the queue, and is empty before
/// and after.
pub(crate) fn run_ready(batch: &mut Vec<Runnable>, ended: impl Fn(&'static Location<'static>)) {
    LOCAL.with(|local| {
        std::mem::swap(&mut *local.ready.borrow_mut(), batch);
        for runnable in batch.drain(..) {
            budget::refill();
            runnable.run();
            if let Some(site) = local.site.get() {
                ended(site);
            }
        }
        local.running.set(Running::NONE);
        local.site.set(None);
        pulse::run(None);
    });
}

/// Where the task that runs now was spawned.
pub(crate) fn running() -> Option<&'static Location<'static>> {
    LOCAL.with(|local| local.site.get())
}

/// Says whether a task waits for its turn.
pub(crate) fn is_ready() -> bool {
    LOCAL.with(|local| !local.ready.borrow().is_empty())
}

/// Brings home what other threads have sent.
pub(crate) fn receive(remote: &Arc<Remote>) {
    if !remote.signal.take() {
        return;
    }
    while let Some(message) = remote.receive() {
        match message {
            Message::Run(runnable) => {
                LOCAL.with(|local| local.ready.borrow_mut().push(runnable));
            }
            Message::Call(callback, site) => spawn(remote, site, async { callback() }).detach(),
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
        loop {
            wake_all(local);
            drop_ready(local, remote);
            if local.tasks.borrow().is_empty() {
                break;
            }
            // Another thread is between marking a task as woken and sending it home.
            thread::yield_now();
        }
        remote.close();
        while let Some(message) = remote.receive() {
            drop(message);
        }
        local.ready.replace(Vec::new());
        local.tasks.replace(Slab::new());
        local.home.set(0);
    });
}

/// Wakes every task, so that it comes into one of the two queues.
fn wake_all(local: &Local) {
    let end = local.tasks.borrow().end();
    for index in 0..end {
        let waker = local.tasks.borrow().at(index).map(|listed| listed.waker.clone());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Drops what is in the two queues. Dropping a `Runnable` drops the task's future.
fn drop_ready(local: &Local, remote: &Remote) {
    loop {
        let next = local.ready.borrow_mut().pop();
        if let Some(runnable) = next {
            drop(runnable);
        } else if let Some(message) = remote.receive() {
            drop(message);
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
