//! What the program does at certain times of its workers.

use std::fmt;
use std::rc::Rc;

use super::ForkOptions;
use crate::process::shared::scoreboard::SlotPage;

/// Says what a worker was serving, by what its page tells.
pub(in crate::process) type Describe = fn(&SlotPage) -> Option<String>;

pub(in crate::process) type ExitHook = dyn Fn(&WorkerExit);

/// What the program does at certain times.
#[derive(Clone, Default)]
pub(in crate::process) struct Hooks {
    pub(in crate::process) after_fork: Vec<Rc<dyn Fn(usize)>>,
    pub(in crate::process) worker_start: Vec<Rc<dyn Fn(usize)>>,
    pub(in crate::process) worker_exit: Option<Rc<ExitHook>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// How a worker has ended: for [`ForkOptions::on_worker_exit`].
///
/// # Examples
///
/// See [`ForkOptions::on_worker_exit`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WorkerExit {
    /// The number of the worker.
    pub id: usize,
    /// Its process, which is no more.
    pub pid: u32,
    /// The status it exited with, if it exited.
    pub status: Option<i32>,
    /// The number of the signal that killed it, if one did.
    pub signal: Option<i32>,
}

/// Functions of the program.
impl ForkOptions {
    /// Adds a function that each worker calls first of all, with its number: for what a fork
    /// would duplicate, such as the state of a random generator. Those that were added first are
    /// called first.
    ///
    /// # Examples
    ///
    /// See [`on_worker_exit`](Self::on_worker_exit).
    #[must_use]
    pub fn after_fork(mut self, hook: impl Fn(usize) + 'static) -> Self {
        self.hooks.after_fork.push(Rc::new(hook));
        self
    }

    /// Adds a function that each worker calls with its number when all
    /// [`after_fork`](Self::after_fork) functions were, before
    /// [`fork_processes`](Self::fork_processes) returns: for what belongs to the worker as a
    /// whole.
    ///
    /// # Examples
    ///
    /// See [`on_worker_exit`](Self::on_worker_exit).
    #[must_use]
    pub fn on_worker_start(mut self, hook: impl Fn(usize) + 'static) -> Self {
        self.hooks.worker_start.push(Rc::new(hook));
        self
    }

    /// Sets a function that is called when a worker has ended, however it did. It runs in a
    /// process of its own, forked from the supervisor, which is never at the mercy of the
    /// program's code; it is killed after 10 seconds.
    ///
    /// After an [upgrade](crate::process#a-new-version-of-the-program) of the first process of a
    /// container, it is not called for the workers of the old program, of which the new one knows
    /// only that they are its children.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new()
    ///     .after_fork(|id| println!("worker {id}: seeds its generators"))
    ///     .on_worker_start(|id| println!("worker {id}: begins"))
    ///     .on_worker_exit(|exit| println!("worker {}: removes {}.tmp", exit.id, exit.pid))
    ///     .fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn on_worker_exit(mut self, hook: impl Fn(&WorkerExit) + 'static) -> Self {
        self.hooks.worker_exit = Some(Rc::new(hook));
        self
    }

    /// Sets by which function the supervisor finds words for what a worker was serving when it
    /// died or stood still. It runs in the supervisor, and so must neither block nor panic; it
    /// is for the upper layer, which knows what its words of the page mean.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::sync::atomic::Ordering::Relaxed;
    ///
    /// use squall_runtime::process::{ForkOptions, SlotPage};
    ///
    /// fn job(page: &SlotPage) -> Option<String> {
    ///     let number = page.extension()[0].load(Relaxed);
    ///     (number != 0).then(|| format!("job {number}"))
    /// }
    ///
    /// ForkOptions::new().page_words(1).describe(job).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn describe(mut self, describe: fn(&SlotPage) -> Option<String>) -> Self {
        self.describe = Some(describe);
        self
    }
}
