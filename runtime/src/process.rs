//! One process per processor: [`fork_processes`] and what belongs to it.
//!
//! A server binds its sockets, forks, and makes its loops, in this order. The process that the
//! user started becomes the *supervisor*: it serves nothing, replaces workers that die, and ends
//! when they have ended. What a worker serves is in [`Sockets`](crate::Sockets).
//!
//! # A new version of the program
//!
//! `SIGUSR2` has the supervisor run what lies at the path of its program by now, with the
//! arguments of the start. If the program was called by a path that leads through a link, the link
//! is followed anew. The new program inherits the bound sockets, and its
//! [`bind_sockets`] finds them by their addresses: those it does not ask for are closed, others are
//! bound anew. Both serve until all workers of the new one are *ready*; then those of the old one
//! are sent `SIGTERM`, and the old supervisor ends with them. Until then the old one has the pid
//! file, and the new one says nothing to the service manager. If the new program ends before, or
//! is not ready within [`ForkOptions::upgrade_timeout`], it is stopped and the old one goes on. No
//! connection is refused or reset on the way.
//!
//! An order to stop (`SIGTERM`, `SIGINT`, `SIGQUIT`) that reaches the old supervisor within a second
//! after the new program has taken over is passed on to that: it was sent by somebody who could not
//! know yet. Later ones are for what is left of the old server only.
//!
//! The first process of a container, whose end would be that of the container, starts the new
//! program as a child; when that is ready, it executes the same in its own place, and sends
//! `SIGTERM` to the child and to its old workers when it is ready itself.
//!
//! As the first process of a container, the supervisor also waits for processes that others have left
//! behind. A process without a supervisor does not: it could not tell them from those that the
//! program waits for itself. There, `docker run --init` or the like does it.
//!
//! The new supervisor is another process than the old one, which is told to systemd and stands in
//! the pid file. A manager that knows neither, and watches the process that it has started, takes
//! the end of the old one for the end of the service: there, `SIGHUP` is all there is.
//!
//! The new supervisor starts as many workers as the program says, whatever `SIGTTIN` and `SIGTTOU`
//! have made of their number, and counts from 0.
//!
//! A process without a supervisor cannot do this, but it can take the place of one that has one.
//! `SIGUSR2` and `SIGHUP` would end it, at once, as the system has it: see [`decline_reloads`].
//! What the program did before with descriptors of its own, with [`after_fork`] hooks or with
//! files is done anew.
//!
//! [`after_fork`]: ForkOptions::after_fork
//! [`stop_timeout`]: ForkOptions::stop_timeout
//!
//! # Running it
//!
//! | signal to the supervisor | effect | exit status |
//! |---|---|---|
//! | `SIGTERM`, `SIGINT` | all workers are told to end; those that take longer than the [`stop_timeout`] are killed | 0, killed or not |
//! | the same again, 0.1 s later or more; `SIGQUIT` | all workers are killed at once | 0 |
//! | `SIGHUP` | the workers are replaced, one after the other, by forks of the supervisor: the program is not run anew | goes on |
//! | `SIGTTIN`, `SIGTTOU` | one worker more, one fewer | goes on |
//! | `SIGUSR2` | a [new version](#a-new-version-of-the-program) takes over | 0 once that serves; goes on where it fails |
//! | `SIGKILL`, or any other that ends it | the workers are killed by the system | the signal |
//! | none: all workers have ended with 0 by themselves | | 0 |
//! | none: too many workers have died, or one [cannot start](give_up_start) when the server does | the others are told to end | 1 |
//!
//! `SIGINT` and `SIGQUIT` stay ignored if they were when the program began, as in the background jobs
//! of a shell script (`server &`): there, `SIGTERM` is what ends it. `SIGTERM` ends it also if the
//! parent process has blocked or ignored it.
//!
//! | signal to a worker | effect |
//! |---|---|
//! | `SIGTERM` | it ends gracefully, and *for good*: nobody replaces a worker that exits with 0. To have workers replaced, send `SIGHUP` to the supervisor |
//! | `SIGINT`, `SIGQUIT`, `SIGHUP` | none |
//! | `SIGSTOP` | it stands still until `SIGCONT`, and is not replaced; others serve who waits at its listeners, if they [adopt](crate::Sockets::adoptions). One that was told to end is continued at once |
//! | `SIGKILL`, `SIGABRT` and whatever else kills it | it is replaced |
//!
//! **The time that the end takes.** With an HTTP server, whose `start` sets the default of the
//! [`stop_timeout`] to the sum of the three:
//!
//! ```text
//! SIGTERM                                                                SIGKILL
//!    |- drain_delay (0 s) -|----- shutdown_timeout (30 s) -----|--- 5 s ---|
//!    |  serves as before   |  finishes what it has, then cuts  |  margin   |
//!    |----------------------- stop_timeout (35 s) -------------------------|
//! ```
//!
//! A [`stop_timeout`] that is set is taken as it is: a shorter one kills while requests are being
//! finished. A worker that ends while others serve on has no `drain_delay`. The service manager has
//! to wait for longer than the `stop_timeout` before it kills (`TimeoutStopSec=`,
//! `terminationGracePeriodSeconds`, `docker stop --time`).
//!
//! **What the log says.** Without a `tracing` subscriber, warnings and errors go to standard error,
//! and nothing else does. With one that takes `squall::general=info`, all of it:
//!
//! | level | of what |
//! |---|---|
//! | error | a worker that is killed, as it was not ready, has not turned or did not stop in time; a replacement that fails, an upgrade that fails, too many deaths |
//! | warning | a worker that has died, with what it was serving, also if it was killed; one that has ended by itself with 0, and the end of the server after the last of those; an order that cannot be followed |
//! | info | each order; workers that start, are ready, and end as they were told to; `all workers were replaced` after `SIGHUP`; `process … has taken over` after `SIGUSR2` |
//!
//! A reload or an upgrade without a fault so says nothing by default. That of the first process of a
//! container has `process … is ready: executing the same` from the old program, and `all workers are
//! ready` from the new one.
//!
//! # What others say, and are told
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES` | systemd | sockets that it has bound: [`bind_sockets`] takes those of its address, or by name (`"systemd:web"`). All workers share them |
//! | `NOTIFY_SOCKET` | systemd | where to tell that all workers are ready, that they are being replaced (`RELOADING=1`), that the server ends, and which process it is from now on (`MAINPID=`) |
//! | `WATCHDOG_USEC`, `WATCHDOG_PID` | systemd | within which time to say that the supervisor lives; it does so at half of it |
//! | `SQUALL_SOCKETS` | the server that is replaced | the descriptors it hands over. Not to be set by hand |
//!
//! Each is heeded only by the process that it names, and a worker has none of them, so that what it
//! starts neither speaks for the service nor takes the sockets of another. A unit could be
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
//! and, where connections are to wait while the service is restarted, a socket beside it:
//!
//! ```ini
//! [Socket]
//! ListenStream=80
//! FileDescriptorName=web
//! ```
//!
//! The program takes it by its name, with `bind_sockets("systemd:web")`, or by its address: port
//! `80` is all addresses of the machine, and where the unit names only some of them, the program
//! binds the others itself, or fails where they are taken by a socket it did not ask for.
//!
//! Without systemd, [`ForkOptions::user`] gives up rights and [`ForkOptions::pid_file`] tells whom
//! to signal.
//!
//! # Random numbers
//!
//! What a process has drawn from before a fork, it goes on to draw from in every worker. Squall
//! seeds its own generators, and that of `fastrand`, in each. The keys of a `HashMap` are the same
//! in all workers if one was made before the fork, which makes no map less safe; who needs other
//! numbers takes them from the system, or seeds in [`after_fork`].
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
//! | `handover` | how a server takes over the sockets of another one, or of systemd |
//! | `host` | the server as the system sees it: title, pid file, privileges, notifications |
//! | `single` | the same for a server of one process |
//! | `unsupervised` | the signals that only a supervisor can obey |

mod cpu;
mod fork;
mod guard;
mod handover;
mod host;
mod options;
mod shared;
mod single;
mod supervisor;
mod unsupervised;
mod worker;

use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::net::Slots;

pub use cpu::cpu_count;
pub use handover::bind::bind_sockets;
pub use options::{ForkOptions, WorkerExit};
pub use shared::scoreboard::{Scoreboard, SlotPage, State};
pub use unsupervised::decline_reloads;
pub use worker::attendant::{begin_drain, give_up_start, is_stopping, want_replacement};
pub use worker::balance::is_crowded;

use shared::wire::Wire;

/// Starts `workers` processes (0: one per available processor), with the defaults of
/// [`ForkOptions`], and returns in each of them with its number.
///
/// # Errors
///
/// As [`ForkOptions::fork_processes`].
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

/// The number of this worker, from 0, or `None` if the process is not one.
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
    // What was drawn from before the fork would give every worker the same numbers.
    fastrand::seed(crate::periodic::random_seed());
    options.hooks.after_fork.iter().for_each(|hook| hook(id));
    worker::attendant::attend(wire, page, scoreboard)?;
    options.hooks.worker_start.iter().for_each(|hook| hook(id));
    Ok(id)
}

/// Has the loop of this thread write its turns into the page.
fn stamp(page: SlotPage) {
    let (turn, task) = page.stamps();
    crate::timer::read_clock();
    crate::pulse::write_into(turn, task, SlotPage::now_nanos(), crate::timer::nanos());
    crate::executor::show_site();
}
