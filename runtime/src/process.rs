//! One process per processor: [`fork_processes`] and what belongs to it.
//!
//! A server binds its sockets, forks, and makes its loops, in this order. The process that the
//! user started becomes the *supervisor*: it serves nothing, replaces workers that die, and ends
//! when they have ended. What a worker serves is in [`Sockets`](crate::Sockets).
//!
//! # A new version of the program
//!
//! On `SIGUSR2`, the supervisor runs the file that is at the path of its program now, with the
//! arguments of the start. If the program was called through a symbolic link, the link is followed
//! again. The new program inherits the bound sockets. Its [`bind_sockets`] finds them by their
//! addresses, closes those it does not ask for, and binds the others anew.
//!
//! Both programs serve until all workers of the new one are *ready*. Then the workers of the old
//! one receive `SIGTERM`, and the old supervisor ends with them. Until then the old supervisor
//! keeps the pid file, and the new one does not notify the service manager. If the new program ends
//! early, or is not ready within [`ForkOptions::upgrade_timeout`], it is stopped and the old one
//! continues. No connection is refused or reset meanwhile.
//!
//! A signal to stop (`SIGTERM`, `SIGINT`, `SIGQUIT`) that reaches the old supervisor within a
//! second after the new program has taken over is passed on to the new one, because its sender
//! could not know the new process yet. Later signals only stop the rest of the old server.
//!
//! If the first process of a container ends, so does the container. Such a supervisor starts the
//! new program as a child. When the child is ready, the supervisor executes the same program in its
//! own place, and, once ready, sends `SIGTERM` to the child and to its old workers.
//!
//! As the first process of a container, the supervisor also reaps orphaned processes. A process
//! without a supervisor does not, because it could not tell them from children that the program
//! itself waits for. Use `docker run --init` or a similar tool there.
//!
//! The new supervisor has another process number than the old one. Systemd learns it from a
//! notification, and the pid file names it. A service manager that knows neither, and watches the
//! process that it started, would take the end of the old supervisor for the end of the service.
//! Use only `SIGHUP` with such a manager.
//!
//! The new supervisor starts as many workers as the program says, whatever number `SIGTTIN` and
//! `SIGTTOU` had led to. Its counters begin at 0.
//!
//! A process without a supervisor cannot be upgraded like this, but it can replace a server that
//! has one. By default, `SIGUSR2` and `SIGHUP` end such a process at once: see [`decline_reloads`].
//! The new program repeats everything that the old one did at its start with its own descriptors,
//! files and [`after_fork`] hooks.
//!
//! [`after_fork`]: ForkOptions::after_fork
//! [`stop_timeout`]: ForkOptions::stop_timeout
//!
//! # Running it
//!
//! | signal to the supervisor | effect | exit status |
//! |---|---|---|
//! | `SIGTERM`, `SIGINT` | stops all workers gracefully; kills those that take longer than the [`stop_timeout`] | 0, killed or not |
//! | the same again, 0.1 s later or more; `SIGQUIT` | kills all workers at once | 0 |
//! | `SIGHUP` | replaces the workers one after the other by new forks of the supervisor; the program is not started anew | continues |
//! | `SIGTTIN`, `SIGTTOU` | starts one more worker, stops one | continues |
//! | `SIGUSR2` | starts a [new version](#a-new-version-of-the-program), which takes over | 0 once that serves; continues if it fails |
//! | `SIGKILL`, or any other signal that ends it | the kernel kills the workers | the signal |
//! | none: all workers have exited with 0 | | 0 |
//! | none: too many workers have died, or one [cannot start](give_up_start) at the server's start | stops the other workers | 1 |
//!
//! If `SIGINT` or `SIGQUIT` was ignored when the program began, it stays ignored. A shell does this
//! for the background jobs of a script (`server &`). Use `SIGTERM` there, which works even if the
//! parent process has blocked or ignored it.
//!
//! | signal to a worker | effect |
//! |---|---|
//! | `SIGTERM` | it ends gracefully and *for good*: a worker that exits with 0 is not replaced. To replace workers, send `SIGHUP` to the supervisor |
//! | `SIGINT`, `SIGQUIT`, `SIGHUP` | none |
//! | `SIGSTOP` | it is suspended until `SIGCONT`, and is not replaced. Other workers serve the clients in its queue if they [adopt](crate::Sockets::adoptions). If it has been stopped with `SIGTERM`, it is continued at once |
//! | `SIGKILL`, `SIGABRT` and any other signal that kills it | it is replaced |
//!
//! **How long a shutdown takes.** An HTTP server's `start` sets the default of the [`stop_timeout`]
//! to the sum of these three:
//!
//! ```text
//! SIGTERM                                                                SIGKILL
//!    |- drain_delay (0 s) -|----- shutdown_timeout (30 s) -----|--- 5 s ---|
//!    |  serves as before   |  finishes what it has, then cuts  |  margin   |
//!    |----------------------- stop_timeout (35 s) -------------------------|
//! ```
//!
//! A [`stop_timeout`] that the program sets is used as it is. If it is shorter than the sum,
//! workers are killed while they finish requests. A worker that ends while others continue has no
//! `drain_delay`. The service manager must wait longer than the `stop_timeout` before it kills the
//! server (`TimeoutStopSec=`, `terminationGracePeriodSeconds`, `docker stop --time`).
//!
//! **The log.** Without a `tracing` subscriber, only warnings and errors are logged, to standard
//! error. A subscriber that accepts `squall::general=info` receives all levels:
//!
//! | level | events |
//! |---|---|
//! | error | a worker that is killed because it was not ready, made no progress or did not stop in time; a failed replacement; a failed upgrade; too many deaths |
//! | warning | a worker that has died or was killed, with the request it was serving; a worker that has exited with 0 by itself, and the end of the server after the last of these; a signal that cannot be obeyed |
//! | info | each signal; workers that start, become ready, and end when asked to; `all workers were replaced` after `SIGHUP`; `process … has taken over` after `SIGUSR2` |
//!
//! A successful reload or upgrade therefore logs nothing by default. When the first process of a
//! container is upgraded, the old program logs `process … is ready: executing the same`, and the
//! new one `all workers are ready`.
//!
//! # Environment variables
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES` | systemd | sockets that systemd has bound: [`bind_sockets`] takes those of its address, or finds them by name (`"systemd:web"`). All workers share them |
//! | `NOTIFY_SOCKET` | systemd | the socket for notifications: all workers are ready, they are being replaced (`RELOADING=1`), the server ends, the main process has changed (`MAINPID=`) |
//! | `WATCHDOG_USEC`, `WATCHDOG_PID` | systemd | how often the supervisor must report that it is alive; it reports twice as often |
//! | `SQUALL_SOCKETS` | the server that is replaced | the descriptors that it hands over. Do not set it by hand |
//!
//! Each variable names a process, and other processes ignore it. Workers do not have these
//! variables, so a program that a worker starts neither notifies systemd nor takes the sockets. A
//! unit could be
//!
//! ```ini
//! [Service]
//! Type=notify-reload
//! ExecStart=/usr/local/bin/shop
//! # Type=notify-reload sends SIGHUP: new workers. A new program:
//! # systemctl kill --kill-whom=main --signal=USR2 shop
//! KillMode=mixed
//! WatchdogSec=10
//! # Longer than the stop_timeout.
//! TimeoutStopSec=45
//! Restart=on-failure
//! User=www-data
//! AmbientCapabilities=CAP_NET_BIND_SERVICE
//! ```
//!
//! If connections should wait while the service restarts, add a socket unit:
//!
//! ```ini
//! [Socket]
//! ListenStream=80
//! FileDescriptorName=web
//! ```
//!
//! The program takes this socket by its name, with `bind_sockets("systemd:web")`, or by its
//! address. Port `80` means all addresses of the machine. If the unit names only some of them, the
//! program binds the others itself. It fails if the port is taken by a socket that it did not ask
//! for.
//!
//! Without systemd, use [`ForkOptions::user`] to drop privileges, and [`ForkOptions::pid_file`] to
//! find the process for signals.
//!
//! # Random numbers
//!
//! A random number generator that was used before a fork continues identically in every worker.
//! Squall seeds its own generators and `fastrand`'s in each worker. The keys of a `HashMap` are the
//! same in all workers if one was made before the fork; this makes no map less safe. Seed other
//! generators in [`after_fork`], or ask the kernel for random numbers.
//!
//! # Layout
//!
//! | module | content |
//! |---|---|
//! | `options` | [`ForkOptions`] |
//! | `cpu` | how many workers fill the machine |
//! | `guard` | refuses to fork a process that has threads or a loop |
//! | `fork` | the fork, and how a child becomes a worker |
//! | `supervisor` | starts, replaces, watches and stops workers |
//! | `worker` | reports a worker's state, and follows the supervisor's orders |
//! | `shared` | the scoreboard, and the socket on which a process asks another to look at it |
//! | `exchange` | messages from each worker to all others |
//! | `handover` | how a server takes over the sockets of another one, or of systemd |
//! | `host` | the server as the system sees it: title, pid file, privileges, notifications |
//! | `unsupervised` | a server of one process, which declines the signals to a supervisor |

mod cpu;
mod exchange;
mod fork;
mod guard;
mod handover;
mod host;
mod options;
mod shared;
mod supervisor;
mod unsupervised;
mod worker;

use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::log;
use crate::net::Slots;
use crate::signal::SIGINT;

pub use cpu::cpu_count;
#[doc(hidden)]
pub use exchange::{Exchange, Received};
pub use handover::bind::bind_sockets;
pub use options::{ForkOptions, WorkerExit};
pub use shared::scoreboard::{Scoreboard, SlotPage, State};
pub use unsupervised::decline_reloads;
pub use worker::attendant::{announce_drain, give_up_start, is_stopping, want_replacement};
pub use worker::balance::is_crowded;

use shared::wire::Wire;

/// Starts `workers` processes, or one per available processor if it is 0, with the defaults of
/// [`ForkOptions`]. Returns in each of them with its number.
///
/// # Errors
///
/// Like [`ForkOptions::fork_processes`].
///
/// # Examples
///
/// ```no_run
/// use squall_runtime::process::{bind_sockets, fork_processes};
/// use squall_runtime::{IOLoop, Listener};
///
/// fn main() -> std::io::Result<()> {
///     let sockets = bind_sockets(8000)?;
///     let id = fork_processes(0)?;
///     // From here on this is worker number `id`: loops, threads and connections begin here.
///     for listener in sockets.into_listeners()? {
///         println!("worker {id} serves {listener:?}");
///     }
///     IOLoop::current().start()
/// }
/// ```
pub fn fork_processes(workers: usize) -> io::Result<usize> {
    ForkOptions::new().workers(workers).fork_processes()
}

/// Returns the number of this worker, from 0, or `None` if the process is not a worker.
///
/// A worker that replaces another has its number.
///
/// # Examples
///
/// ```
/// assert_eq!(squall_runtime::process::task_id(), None);
/// ```
#[must_use]
pub fn task_id() -> Option<usize> {
    match TASK_ID.load(Ordering::Relaxed) {
        NO_WORKER => None,
        id => Some(id),
    }
}

/// Returns whether this process ignores `signal`, which it may have inherited.
///
/// A shell script starts its background commands with `SIGINT` and `SIGQUIT` ignored: a ^C is not
/// meant for them. A program that then handles these signals would end with the script.
///
/// # Examples
///
/// ```
/// use squall_runtime::signal::SIGTERM;
///
/// assert!(!squall_runtime::process::is_ignored(SIGTERM));
/// ```
#[must_use]
pub fn is_ignored(signal: c_int) -> bool {
    fork::disposition(signal) == Some(fork::Disposition::Ignored)
}

/// Logs a warning if this process ignores `SIGINT`, because a `^C` without effect looks like a
/// fault.
///
/// For the `squall` crate. Hidden, because it may change with any version.
#[doc(hidden)]
pub fn warn_if_interrupt_is_ignored() {
    if is_ignored(SIGINT) {
        let text = "SIGINT was ignored when the program began (it is a background job): ^C does not stop \
                    this server, SIGTERM does";
        log::warn(log::GENERAL, format_args!("{text}"));
    }
}

static TASK_ID: AtomicUsize = AtomicUsize::new(NO_WORKER);
const NO_WORKER: usize = usize::MAX;

/// What a process needs, just forked, to be a worker.
struct Worker {
    id: usize,
    page: SlotPage,
    wire: Wire,
}

/// Makes this process, just forked, a worker. Returns its number.
fn enter_worker(
    worker: Worker,
    scoreboard: Scoreboard,
    slots: Slots,
    options: &ForkOptions,
) -> io::Result<usize> {
    let Worker { id, page, wire } = worker;
    TASK_ID.store(id, Ordering::Relaxed);
    scoreboard.install(Some(page.index()));
    stamp(page);
    slots.enter(id);
    // Otherwise a generator that was used before the fork would give every worker the same numbers.
    fastrand::seed(crate::periodic::random_seed());
    options.hooks.after_fork.iter().for_each(|hook| hook(id));
    worker::attendant::attend(wire, page, scoreboard)?;
    options.hooks.worker_start.iter().for_each(|hook| hook(id));
    Ok(id)
}

/// Makes the loop of this thread write its turns into the page.
fn stamp(page: SlotPage) {
    let (turn, task) = page.stamps();
    crate::timer::read_clock();
    crate::pulse::write_into(turn, task, SlotPage::now_nanos(), crate::timer::nanos());
    crate::executor::show_site();
}
