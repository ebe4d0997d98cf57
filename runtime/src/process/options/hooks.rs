//! Functions of the program that run when workers start and end.

use std::fmt;
use std::rc::Rc;

use super::ForkOptions;
use crate::process::shared::scoreboard::SlotPage;

/// Describes the request of a worker, from its page.
pub(in crate::process) type Describe = fn(&SlotPage) -> Option<String>;

pub(in crate::process) type ExitHook = dyn Fn(&WorkerExit);

/// Functions that run at certain times.
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

/// How a worker has ended. An argument of [`ForkOptions::on_worker_exit`].
///
/// # Examples
///
/// See [`ForkOptions::on_worker_exit`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WorkerExit {
    /// The number of the worker.
    pub id: usize,
    /// The process number that the worker had.
    pub pid: u32,
    /// The status it exited with, if it exited.
    pub status: Option<i32>,
    /// The number of the signal that killed it, if one did.
    pub signal: Option<i32>,
}

/// Functions of the program.
impl ForkOptions {
    /// Adds a function that each worker calls first, with its number. Use it for state that a fork
    /// would duplicate, such as a random generator. The functions are called in the order in which
    /// they were added.
    ///
    /// # Examples
    ///
    /// See [`on_worker_exit`](Self::on_worker_exit).
    #[must_use]
    pub fn after_fork(mut self, hook: impl Fn(usize) + 'static) -> Self {
        self.hooks.after_fork.push(Rc::new(hook));
        self
    }

    /// Adds a function that each worker calls with its number after all
    /// [`after_fork`](Self::after_fork) functions, before [`fork_processes`](Self::fork_processes)
    /// returns. Use it for state that belongs to the whole worker.
    ///
    /// # Examples
    ///
    /// See [`on_worker_exit`](Self::on_worker_exit).
    #[must_use]
    pub fn on_worker_start(mut self, hook: impl Fn(usize) + 'static) -> Self {
        self.hooks.worker_start.push(Rc::new(hook));
        self
    }

    /// Sets a function that is called when a worker has ended, for any reason. It runs in a process
    /// of its own, forked from the supervisor, so that the program's code cannot harm the
    /// supervisor. That process is killed after 10 seconds.
    ///
    /// After an [upgrade](crate::process#a-new-version-of-the-program) of the first process of a
    /// container, the function is not called for the workers of the old program. The new program
    /// only knows that they are its children.
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

    /// Sets a function that describes the request that a worker was serving when it died or hung.
    /// It runs in the supervisor, so it must neither block nor panic. It is meant for a framework,
    /// which knows the meaning of its words in the page.
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
    // Public only for the framework above this crate.
    #[doc(hidden)]
    #[must_use]
    pub fn describe(mut self, describe: fn(&SlotPage) -> Option<String>) -> Self {
        self.describe = Some(describe);
        self
    }
}
