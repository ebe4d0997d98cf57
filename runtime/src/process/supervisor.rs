//! Starts workers, replaces those that die, and stops them.
//!
//! The supervisor has one thread, no loop, and runs no code of the user's, so that it can fork
//! at any time. It sleeps until a signal comes.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus, wait};

use crate::log;
use crate::net::Slots;

use super::fork::{Forked, fork_worker, keep_ended_children};
use super::guard::signal_name;
use super::lifeline::Lifeline;
use super::presence::Presence;
use super::restarts::Restarts;
use super::signals::Signals;
use super::{ForkOptions, Scoreboard, SlotPage, enter_worker};

/// When the system refuses a process for now, how long to wait before asking again.
const FORK_RETRY: Duration = Duration::from_secs(1);

/// Orders to stop that come this close to each other are one: `timeout`, for one, signals a
/// process and then its whole group.
const ONE_ORDER: Duration = Duration::from_millis(100);

/// Supervises workers, one for each slot.
pub(super) struct Supervisor {
    options: ForkOptions,
    slots: Slots,
    scoreboard: Scoreboard,
    /// How many workers were started so far.
    generation: u64,
    signals: Signals,
    lifeline: Lifeline,
    presence: Presence,
    /// By number.
    workers: Vec<Worker>,
    restarts: Restarts,
    stage: Stage,
    /// What to exit with when all workers have ended.
    status: i32,
}

#[derive(Clone, Copy, Debug)]
enum Worker {
    /// To be started at this time.
    Due(Instant),
    Running(Pid),
    /// Ended, and not to be replaced.
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Serving,
    /// The workers were asked to end.
    Stopping {
        since: Instant,
    },
    /// The workers were killed.
    Killing,
}

impl Supervisor {
    pub(super) fn new(
        options: ForkOptions,
        slots: Slots,
        scoreboard: Scoreboard,
        presence: Presence,
    ) -> io::Result<Self> {
        keep_ended_children();
        Ok(Self {
            slots,
            presence,
            scoreboard,
            generation: 0,
            signals: Signals::block()?,
            lifeline: Lifeline::new()?,
            workers: vec![Worker::Due(Instant::now()); scoreboard.slots()],
            restarts: Restarts::new(options.max_restarts, options.restart_window),
            stage: Stage::Serving,
            status: 0,
            options,
        })
    }

    /// Starts the workers, and returns in each with its number. In the parent it only returns
    /// if they cannot be started, or no longer be watched.
    pub(super) fn run(mut self) -> io::Result<usize> {
        self.presence.enter_supervisor();
        log::info(log::GENERAL, format_args!("starting {} workers", self.workers.len()));
        // Half a line that waits to be printed would be printed by every process.
        let _ = io::stdout().flush();
        for id in 0..self.workers.len() {
            match self.start(id) {
                Ok(Forked::Worker) => return Ok(self.become_worker(id)),
                Ok(Forked::Supervisor(_)) => {}
                Err(error) => {
                    self.abandon();
                    return Err(error);
                }
            }
        }
        loop {
            if let Some(id) = self.start_due() {
                return Ok(self.become_worker(id));
            }
            if self.workers.iter().all(|worker| matches!(worker, Worker::Ended)) {
                self.presence.leave();
                exit(self.status);
            }
            match self.signals.wait(self.next_deadline())? {
                Some(Signal::SIGCHLD) => self.reap(),
                Some(Signal::SIGQUIT) => self.kill_all(format_args!("SIGQUIT")),
                Some(signal) => self.stop_ordered(signal),
                None => self.stop_overdue(),
            }
        }
    }

    fn start(&mut self, id: usize) -> io::Result<Forked> {
        self.generation += 1;
        self.page(id).begin(self.generation);
        let forked = fork_worker(&mut self.lifeline, self.signals.mask_before())?;
        if let Forked::Supervisor(pid) = forked {
            self.page(id).set_pid(pid);
            self.workers[id] = Worker::Running(pid);
        }
        Ok(forked)
    }

    /// Starts the workers whose time has come. Returns in each of them with its number.
    fn start_due(&mut self) -> Option<usize> {
        for id in 0..self.workers.len() {
            if !matches!(self.workers[id], Worker::Due(at) if at <= Instant::now()) {
                continue;
            }
            match self.start(id) {
                Ok(Forked::Worker) => return Some(id),
                Ok(Forked::Supervisor(_)) => {}
                Err(error) => {
                    let text = format_args!("cannot start worker {id}, trying again: {error}");
                    log::error(log::GENERAL, text);
                    self.workers[id] = Worker::Due(Instant::now() + FORK_RETRY);
                }
            }
        }
        None
    }

    /// In the child: leaves everything behind that is the supervisor's.
    fn become_worker(self, id: usize) -> usize {
        let page = self.page(id);
        self.presence.enter_worker(id);
        enter_worker(id, page, self.scoreboard, self.slots);
        id
    }

    fn page(&self, id: usize) -> SlotPage {
        let [page, _] = self.scoreboard.pages_of(id);
        page
    }

    /// Ends the workers that were started before one could not be.
    fn abandon(&self) {
        for (_, pid) in self.running() {
            signal(pid, Signal::SIGKILL);
            while nix::sys::wait::waitpid(pid, None) == Err(nix::Error::EINTR) {}
        }
    }

    /// When something is to be done even if no signal comes.
    fn next_deadline(&self) -> Option<Instant> {
        let starts = self.workers.iter().filter_map(|worker| match worker {
            Worker::Due(at) => Some(*at),
            Worker::Running(_) | Worker::Ended => None,
        });
        starts.chain(self.stop_deadline()).min()
    }

    fn stop_deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Stopping { since } => since.checked_add(self.options.stop_timeout),
            Stage::Serving | Stage::Killing => None,
        }
    }

    /// Takes note of every child that has ended: one `SIGCHLD` may stand for several.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = Pid::from_raw(pid.as_raw_nonzero().get());
                    let id = self.running().find(|worker| worker.1 == pid).map(|worker| worker.0);
                    // Others are children the program had before, or, where this is the first
                    // process of a container, orphans.
                    if let Some(id) = id {
                        self.ended(id, pid, Death(status));
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn ended(&mut self, id: usize, pid: Pid, death: Death) {
        self.workers[id] = Worker::Ended;
        let expected = match self.stage {
            Stage::Serving => death.is_normal(),
            Stage::Stopping { .. } => death.is_normal() || death.is_by(Signal::SIGTERM),
            Stage::Killing => true,
        };
        self.page(id).end(expected);
        if expected {
            log::info(log::GENERAL, format_args!("worker {id} (pid {pid}) {death}"));
            // While all stop there is nobody to send the connections to instead.
            if matches!(self.stage, Stage::Serving) {
                self.slots.retire(id);
            }
        } else if !matches!(self.stage, Stage::Serving) {
            log::warn(log::GENERAL, format_args!("worker {id} (pid {pid}) {death}"));
        } else if self.restarts.allow(Instant::now()) {
            log::warn(log::GENERAL, format_args!("worker {id} (pid {pid}) {death}, restarting"));
            self.workers[id] = Worker::Due(Instant::now());
        } else {
            let ForkOptions { max_restarts, restart_window, .. } = self.options;
            let text = format_args!(
                "worker {id} (pid {pid}) {death}; too many restarts \
                 ({max_restarts} within {restart_window:?}), giving up"
            );
            log::error(log::GENERAL, text);
            self.status = 1;
            self.stop();
        }
    }

    /// The first order asks the workers to end, the next one ends them.
    fn stop_ordered(&mut self, order: Signal) {
        match self.stage {
            Stage::Serving => {
                let timeout = self.options.stop_timeout;
                let text = format_args!("{order}: stopping the workers, within {timeout:?}");
                log::info(log::GENERAL, text);
                self.stop();
            }
            Stage::Stopping { since } if since.elapsed() < ONE_ORDER => {}
            Stage::Stopping { .. } | Stage::Killing => self.kill_all(format_args!("{order} again")),
        }
    }

    fn stop_overdue(&mut self) {
        if self.stop_deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            let timeout = self.options.stop_timeout;
            self.kill_all(format_args!("not stopped within {timeout:?}"));
        }
    }

    fn stop(&mut self) {
        self.stage = Stage::Stopping { since: Instant::now() };
        self.start_no_more();
        self.scoreboard.set_stopping();
        for (id, pid) in self.running() {
            self.page(id).set_ordered();
            signal(pid, Signal::SIGTERM);
            // One that somebody has suspended could not act upon it.
            signal(pid, Signal::SIGCONT);
        }
    }

    fn kill_all(&mut self, reason: fmt::Arguments<'_>) {
        self.stage = Stage::Killing;
        self.start_no_more();
        for (id, pid) in self.running() {
            log::warn(log::GENERAL, format_args!("{reason}: killing worker {id} (pid {pid})"));
            signal(pid, Signal::SIGKILL);
        }
    }

    fn start_no_more(&mut self) {
        for worker in &mut self.workers {
            if matches!(worker, Worker::Due(_)) {
                *worker = Worker::Ended;
            }
        }
    }

    /// The numbers and process ids of the workers there are.
    fn running(&self) -> impl Iterator<Item = (usize, Pid)> {
        self.workers.iter().enumerate().filter_map(|(id, worker)| match worker {
            Worker::Running(pid) => Some((id, *pid)),
            Worker::Due(_) | Worker::Ended => None,
        })
    }
}

/// Signals a child. One that has ended was not yet waited for, so that the number is still its
/// own and nothing can fail.
fn signal(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

#[expect(clippy::exit, reason = "what the program does after the fork is the workers' work")]
fn exit(status: i32) -> ! {
    std::process::exit(status)
}

/// How a worker ended.
#[derive(Clone, Copy)]
struct Death(WaitStatus);

impl Death {
    fn is_normal(self) -> bool {
        self.0.exit_status() == Some(0)
    }

    fn is_by(self, signal: Signal) -> bool {
        self.0.terminating_signal() == Some(signal as i32)
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.exit_status(), self.0.terminating_signal()) {
            (Some(0), _) => f.write_str("exited normally"),
            (Some(status), _) => write!(f, "exited with status {status}"),
            (_, Some(signal)) => write!(f, "was killed by {}", signal_name(signal)),
            _ => write!(f, "ended with {:?}", self.0),
        }
    }
}
