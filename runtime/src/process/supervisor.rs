//! Starts workers, replaces those that die, and stops them.
//!
//! The supervisor has one thread, no loop, and runs no code of the user's, so that it can fork
//! at any time. It sleeps until a signal comes, a worker rings, or a time is over.
//!
//! | file | content |
//! |---|---|
//! | `slot` | the state of each worker |
//! | `ended` | waits for ended children, and decides whether to replace a worker |
//! | `replace` | starts new workers in place of old ones, more of them or fewer |
//! | `adopt` | gives the listeners of a worker that cannot accept to another one |
//! | `watch` | finds workers that take too long; `stall` measures their turns; `excuse` subtracts the time in which they could not run |
//! | `stop` | stops the server |
//! | `upgrade` | hands over to a new program; `succeed` takes over from an old one |
//! | `signals` | waits for the signals to the supervisor |
//! | `restarts` | the delays between replacements, and their limit |
//! | `stuck` | reports where a process hangs |

mod adopt;
mod ended;
mod excuse;
mod replace;
pub(crate) mod restarts;
pub(crate) mod signals;
mod slot;
mod stall;
mod stop;
pub(crate) mod stuck;
mod succeed;
mod upgrade;
mod watch;

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::log;
use crate::net::Slots;
use crate::periodic::random::Random;

use crate::process::ForkOptions;
use crate::process::Worker;
use crate::process::enter_worker;
use crate::process::fork::{Forked, fork_worker, ignore_nothing_awaited};
use crate::process::handover::image::Image;
use crate::process::handover::inherited::Succession;
use crate::process::handover::plan::Role;
use crate::process::host::presence::Presence;
use crate::process::shared::scoreboard::{Scoreboard, State};
use crate::process::shared::wire::Wire;
use crate::process::supervisor::restarts::Restarts;
use crate::process::supervisor::signals::{Awaited, Signals};
use crate::process::supervisor::stuck::OwnMemory;
use crate::process::warn_if_interrupt_is_ignored;
use crate::process::worker::lifeline::Lifeline;

use excuse::Nap;
use slot::{Goal, Phase, Process, Slot};
use stall::Stall;
use stop::{Shutdown, Stage};
use succeed::Takeover;
use upgrade::{Handover, Upgrade};
use watch::Checks;

/// How long to wait before the next attempt after the kernel has refused a fork.
const FORK_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// Supervises workers, one for each slot that is served.
pub(super) struct Supervisor {
    options: ForkOptions,
    sockets: Slots,
    scoreboard: Scoreboard,
    /// The file of the memory in which workers exchange messages.
    area: Option<OwnedFd>,
    presence: Presence,
    /// How many processes were started so far.
    generation: u64,
    signals: Signals,
    lifeline: Lifeline,
    /// By number.
    slots: Vec<Slot>,
    handover: Handover,
    takeover: Takeover,
    /// Workers of this program can serve the listeners of other workers.
    has_adopters: bool,
    /// Workers of an earlier generation are to be replaced.
    reload_before: u64,
    /// Limits the replacements of all workers that died.
    restarts: Restarts,
    /// Limits the replacements of workers that died before they were ready.
    failed_starts: Restarts,
    random: Random,
    checks: Checks,
    shutdown: Shutdown,
}

/// The parts of a server that a supervisor needs to start.
pub(super) struct Setup {
    pub(super) options: ForkOptions,
    pub(super) sockets: Slots,
    pub(super) scoreboard: Scoreboard,
    pub(super) area: Option<OwnedFd>,
    pub(super) presence: Presence,
    pub(super) memory: OwnMemory,
    pub(super) image: Image,
    /// The server that this one replaces.
    pub(super) succession: Option<Succession>,
    /// How many workers to start, in the first slots of the scoreboard.
    pub(super) workers: usize,
}

impl Supervisor {
    pub(super) fn new(setup: Setup) -> io::Result<Self> {
        let Setup { options, sockets, scoreboard, succession, workers, .. } = setup;
        let goal = |id| if id < workers { Goal::Served } else { Goal::Retired };
        let slot = |id| {
            let mut slot = Slot::new(&scoreboard, id, goal(id));
            // The listeners of a predecessor.
            slot.has_listened |= sockets.listens(id) && succession.is_some();
            slot
        };
        let slots = (0..scoreboard.slots()).map(slot).collect();
        let role = succession.as_ref().map(|taken| &taken.role);
        let has_adopters = matches!(role, Some(Role::InPlace { .. }));
        let (most, window) = options.failed_starts(workers);
        // The signals are blocked first: with its default action, a signal would end this process.
        let signals = Signals::block()?;
        ignore_nothing_awaited();
        Ok(Self {
            sockets,
            scoreboard,
            area: setup.area,
            presence: setup.presence,
            generation: 0,
            signals,
            lifeline: Lifeline::new()?,
            slots,
            handover: Handover::new(setup.image),
            takeover: Takeover::new(succession),
            has_adopters,
            reload_before: 0,
            restarts: Restarts::new(options.max_restarts, options.restart_window),
            failed_starts: Restarts::new(most, window),
            random: Random::from_system(),
            checks: Checks::new(setup.memory),
            shutdown: Shutdown::default(),
            options,
        })
    }

    /// Starts the workers, and returns in each with its number. In the parent it only returns
    /// if they cannot be started, or no longer be watched.
    pub(super) fn run(mut self) -> io::Result<usize> {
        self.presence.enter_supervisor();
        self.take_over();
        let workers = self.wanted();
        self.scoreboard.set_wanted(workers);
        log::info(log::GENERAL, format_args!("starting {workers} workers"));
        warn_if_interrupt_is_ignored();
        // Half a line that waits to be printed would be printed by every process.
        let _ = io::stdout().flush();
        for id in 0..workers {
            match self.start(id) {
                Ok(Some(worker)) => return self.become_worker(worker),
                Ok(None) => {}
                Err(error) => {
                    self.abandon();
                    return Err(error);
                }
            }
        }
        loop {
            if let Some(worker) = self.start_due() {
                return self.become_worker(worker);
            }
            if self.is_over() {
                self.leave()
            }
            match self.await_event()? {
                Awaited::Signal(Signal::SIGCHLD) => self.reap(),
                Awaited::Signal(Signal::SIGQUIT) => {
                    self.pass_on(Signal::SIGQUIT);
                    self.kill_all(format_args!("SIGQUIT"));
                }
                Awaited::Signal(Signal::SIGHUP) => self.reload(),
                Awaited::Signal(Signal::SIGTTIN) => self.one_more(),
                Awaited::Signal(Signal::SIGTTOU) => self.one_fewer(),
                Awaited::Signal(Signal::SIGUSR2) => self.upgrade(),
                Awaited::Signal(signal) => self.stop_ordered(signal),
                Awaited::Ring => self.hear(),
                Awaited::Deadline => {}
            }
            self.watch();
            self.replace_next();
            self.assign();
            self.scoreboard.set_wanted(self.wanted());
            self.announce();
        }
    }

    /// How many workers there are to be.
    fn wanted(&self) -> usize {
        self.slots.iter().filter(|slot| slot.goal == Goal::Served).count()
    }

    /// Nothing is left to be waited for.
    fn is_over(&self) -> bool {
        self.slots.iter().all(Slot::is_over)
            && self.checks.hooks.is_empty()
            && self.handover.upgrade.is_none()
            && self.takeover.others.is_empty()
    }

    fn await_event(&mut self) -> io::Result<Awaited> {
        let nap = Nap::new(Instant::now(), self.next_deadline());
        let event = self.sleep(nap.until)?;
        if let Some(pause) = nap.pause(Instant::now()) {
            self.excuse(pause);
        }
        Ok(event)
    }

    fn sleep(&self, until: Option<Instant>) -> io::Result<Awaited> {
        let processes = self.slots.iter().flat_map(|slot| &slot.processes);
        let wires = processes.filter_map(|process| process.wire.as_ref()).map(AsFd::as_fd);
        let report = self.handover.upgrade.as_ref().and_then(Upgrade::report);
        let claim = self.claim().filter(|_| self.takeover.is_announced).map(AsFd::as_fd);
        let wires: Vec<_> = wires.chain(report).chain(claim).collect();
        self.signals.wait(until, &wires)
    }

    /// Starts a process in this slot. Returns in it with what it needs to be a worker.
    fn start(&mut self, id: usize) -> io::Result<Option<Worker>> {
        let Some(page) = self.slots[id].free_page() else { return Ok(None) };
        let (ours, theirs) = Wire::pair()?;
        self.generation += 1;
        page.begin(self.generation);
        match fork_worker(&mut self.lifeline, self.signals.unblocked()) {
            Ok(Forked::Worker) => Ok(Some(Worker { id, page, wire: theirs })),
            Ok(Forked::Supervisor(pid)) => {
                page.set_pid(pid);
                self.slots[id].due = None;
                self.slots[id].processes.push(Process {
                    pid,
                    page,
                    wire: Some(ours),
                    phase: Phase::Starting,
                    is_ordered: false,
                    started: Instant::now(),
                    ready: None,
                    is_stalled: false,
                    stall: Stall::default(),
                    suspended: None,
                });
                Ok(None)
            }
            Err(error) => {
                page.end(true);
                Err(error)
            }
        }
    }

    /// Starts the workers that are due. Returns in each of them.
    fn start_due(&mut self) -> Option<Worker> {
        for id in 0..self.slots.len() {
            if self.slots[id].startable().is_none_or(|at| at > Instant::now()) {
                continue;
            }
            match self.shed_threads().and_then(|()| self.start(id)) {
                Ok(None) => {}
                Ok(worker) => return worker,
                Err(error) => {
                    let text = format_args!("cannot start worker {id}, trying again: {error}");
                    log::error(log::GENERAL, text);
                    self.slots[id].due = Some(Instant::now() + FORK_RETRY);
                }
            }
        }
        None
    }

    /// Makes the forked child a worker: drops everything that belongs to the supervisor.
    fn become_worker(self, worker: Worker) -> io::Result<usize> {
        let Self { options, sockets, scoreboard, presence, signals, lifeline, slots, .. } = self;
        drop((signals, lifeline, slots, self.checks, self.area));
        presence.enter_worker(worker.id);
        enter_worker(worker, scoreboard, sockets, &options)
    }

    /// Ends the workers that were started before one could not be.
    fn abandon(&mut self) {
        for process in self.slots.iter_mut().flat_map(|slot| &mut slot.processes) {
            process.kill();
            while nix::sys::wait::waitpid(process.pid, None) == Err(nix::Error::EINTR) {}
        }
    }

    /// When something is to be done even if nothing happens.
    fn next_deadline(&self) -> Option<Instant> {
        let starts = self.slots.iter().filter_map(Slot::startable);
        let upgrade = self.upgrade_deadline().into_iter().chain(self.others_deadline());
        let life = self.presence.next_sign_of_life();
        let limits = starts.chain(self.stop_deadline()).chain(self.watch_deadline());
        limits.chain(upgrade).chain(life).min()
    }

    /// The slot of a process and its place there.
    fn find(&self, is_it: impl Fn(&Process) -> bool) -> Option<(usize, usize)> {
        self.slots
            .iter()
            .enumerate()
            .find_map(|(id, slot)| slot.processes.iter().position(&is_it).map(|index| (id, index)))
    }

    /// Takes note of what workers have rung about.
    fn hear(&mut self) {
        self.hear_successor();
        self.hear_predecessor();
        for id in 0..self.slots.len() {
            for index in 0..self.slots[id].processes.len() {
                if self.slots[id].processes[index].has_rung() {
                    self.rang(id, index);
                }
            }
        }
    }

    fn rang(&mut self, id: usize, index: usize) {
        let process = &mut self.slots[id].processes[index];
        match (process.phase, process.page.state()) {
            (Phase::Starting, State::Ready) => self.became_ready(id, index),
            (Phase::Starting | Phase::Ready, State::Draining) => {
                process.phase = Phase::Leaving { since: Instant::now() };
                self.slots[id].has_listened = true;
            }
            _ => {}
        }
    }

    fn became_ready(&mut self, id: usize, index: usize) {
        let slot = &mut self.slots[id];
        let process = &mut slot.processes[index];
        process.phase = Phase::Ready;
        process.ready = Some(Instant::now());
        slot.has_listened = true;
        self.has_adopters |= process.page.adopts();
        let pid = process.pid;
        log::info(log::GENERAL, format_args!("worker {id} (pid {pid}) is ready"));
        // What it replaces.
        slot.processes[..index].iter_mut().for_each(Process::order_to_leave);
        // During shutdown, one worker for the waiting clients.
        if !matches!(self.shutdown.stage, Stage::Serving) {
            slot.processes[index].order_to_leave();
        }
    }
}

#[expect(clippy::exit, reason = "the code of the program after the fork is for the workers")]
fn exit(status: i32) -> ! {
    std::process::exit(status)
}
