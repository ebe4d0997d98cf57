//! Handing over to another program: the one that has the path of this one by now.
//!
//! The new server inherits exactly the existing sockets, slot by slot. New sockets in the same
//! group would get a share of the connections, and clients that wait in the old ones would be lost.
//! Both servers serve until the new one is ready. Then the old one's workers leave, and no listener
//! is closed meanwhile.
//!
//! The first process of a container cannot be replaced by another one. There the new program is
//! tried as a child, and, when that is ready, executed in this process; the workers and the trial
//! serve until it is ready again.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process::id;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::io::FdFlags;

use crate::log;

use super::Supervisor;
use super::ended::Death;
use super::slot::Process;
use crate::process::guard;
use crate::process::handover::image::Image;
use crate::process::handover::line::{self, Report, Reported};
use crate::process::handover::plan::{Group, Plan, Role};
use crate::process::supervisor::signals::Awaited;

/// How long a supervisor passes on signals to stop after it was replaced. A script that reads the
/// pid file, or a service manager that does not know the new process yet, may still signal the old
/// one. Later signals are meant for the old server, to hurry it.
const PASS_ON: Duration = Duration::from_secs(1);

/// A new program that is being started.
pub(super) struct Upgrade {
    pid: Pid,
    role: Role,
    /// Where it reports; `None` once it cannot any more.
    report: Option<Report>,
    started: Instant,
    /// When it was asked to end, because it has failed.
    failed: Option<Instant>,
}

/// The state of handing this server over to a new program.
pub(super) struct Handover {
    /// The program to run.
    pub(super) image: Image,
    pub(super) upgrade: Option<Upgrade>,
    /// An upgrade was requested before all workers of this server were ready.
    pub(super) wants_upgrade: bool,
    /// Another process has the listeners as well, and continues.
    pub(super) has_handed_over: bool,
    /// The process that has taken over, and when.
    pub(super) successor: Option<(Pid, Instant)>,
}

impl Handover {
    pub(super) fn new(image: Image) -> Self {
        Self { image, upgrade: None, wants_upgrade: false, has_handed_over: false, successor: None }
    }
}

impl Upgrade {
    pub(super) fn report(&self) -> Option<BorrowedFd<'_>> {
        self.report.as_ref().filter(|_| self.failed.is_none()).map(AsFd::as_fd)
    }

    /// When it must be ready, or gone.
    fn limit(&self, start: Duration, stop: Duration) -> Option<Instant> {
        match self.failed {
            Some(since) => since.checked_add(stop),
            None => self.started.checked_add(start),
        }
    }
}

impl Supervisor {
    /// Begins with an upgrade, at the latest when the server has started itself, or says why
    /// not.
    pub(super) fn upgrade(&mut self) {
        let refusal = match &self.handover.upgrade {
            _ if !self.is_serving() => Some("the server ends"),
            Some(_) => Some("one is under way"),
            None => None,
        };
        self.handover.wants_upgrade = refusal.is_none() && !self.has_begun();
        if self.handover.wants_upgrade {
            return;
        }
        if let Some(refusal) = refusal {
            return log::warn(log::GENERAL, format_args!("SIGUSR2: no upgrade, {refusal}"));
        }
        match self.start_successor() {
            Ok(upgrade) => {
                let (path, pid) = (self.handover.image.path().display(), upgrade.pid);
                let text = format_args!("SIGUSR2: {path} is started as process {pid}");
                log::info(log::GENERAL, text);
                self.presence.note_upgrade(false);
                self.handover.upgrade = Some(upgrade);
            }
            Err(error) => {
                let path = self.handover.image.path().display();
                let text = format_args!("SIGUSR2: no upgrade, cannot run {path}: {error}");
                log::error(log::GENERAL, text);
                self.presence.note_upgrade(true);
            }
        }
    }

    fn start_successor(&self) -> io::Result<Upgrade> {
        let role = if id() == 1 { Role::Trial } else { Role::Upgrade };
        let (report, ready) = line::pair()?;
        rustix::io::fcntl_setfd(&ready, FdFlags::empty())?;
        let plan = self.plan(role.clone(), Some(ready.as_raw_fd()));
        let mask = self.signals.unblocked();
        let pid = self.with_inheritable(|| self.handover.image.spawn(&plan, &role, mask))?;
        Ok(Upgrade { pid, role, report: Some(report), started: Instant::now(), failed: None })
    }

    /// Returns the text that describes the sockets to the new server.
    fn plan(&self, role: Role, ready: Option<RawFd>) -> String {
        let group = |(descriptors, traits, name)| Group { descriptors, traits, name };
        let groups = self.sockets.to_hand_over().into_iter().map(group).collect();
        let is_trial = role == Role::Trial;
        let pid_file = self.presence.pid_file().filter(|_| !is_trial).map(AsRawFd::as_raw_fd);
        let area = self.area.as_ref().map(AsRawFd::as_raw_fd);
        Plan { role, ready, pid_file, area, groups }.to_text(id())
    }

    /// Calls `start` while the sockets and the pid file pass to programs that are started.
    fn with_inheritable<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let set = |inheritable| {
            self.sockets.set_inheritable(inheritable)?;
            let flags = if inheritable { FdFlags::empty() } else { FdFlags::CLOEXEC };
            self.area.iter().try_for_each(|area| rustix::io::fcntl_setfd(area, flags))?;
            self.presence.pid_file().map_or(Ok(()), |file| file.set_inheritable(inheritable))
        };
        let started = set(true).and_then(|()| start());
        set(false)?;
        started
    }

    /// Takes note of what the new program reports.
    pub(super) fn hear_successor(&mut self) {
        let Some(upgrade) =
            self.handover.upgrade.as_mut().filter(|upgrade| upgrade.failed.is_none())
        else {
            return;
        };
        match upgrade.report.as_ref().map(Report::hear) {
            Some(Reported::Ready { has_pid_file }) => self.successor_is_ready(has_pid_file),
            // If it has ended, the system says how; if not, it has its time.
            Some(Reported::End) => upgrade.report = None,
            Some(Reported::Nothing) | None => {}
        }
    }

    fn successor_is_ready(&mut self, has_pid_file: bool) {
        let Some(upgrade) = self.handover.upgrade.take() else { return };
        let pid = upgrade.pid;
        if upgrade.role == Role::Trial {
            self.handover.upgrade = Some(upgrade);
            return self.become_successor(pid);
        }
        log::info(log::GENERAL, format_args!("process {pid} has taken over"));
        self.presence.hand_over(pid.as_raw().unsigned_abs(), has_pid_file);
        upgrade.report.iter().for_each(Report::grant);
        self.handover.has_handed_over = true;
        self.handover.successor = Some((pid, Instant::now()));
        self.stop();
    }

    /// Passes a signal to stop on to the new server, if that has just taken over: the sender could
    /// not know this. Returns whether it was passed on.
    pub(super) fn pass_on(&self, order: Signal) -> bool {
        let Some((pid, since)) = self.handover.successor else { return false };
        if since.elapsed() >= PASS_ON {
            return false;
        }
        let signal = if order == Signal::SIGQUIT { order } else { Signal::SIGTERM };
        let is_sent = kill(pid, signal).is_ok();
        if is_sent {
            let text = format_args!("{order}: passed on to process {pid}, which has taken over");
            log::warn(log::GENERAL, text);
        }
        is_sent
    }

    /// Passes on the signals that are pending, before this process ends. No process can pass on
    /// later ones.
    pub(super) fn pass_on_pending(&self) {
        while let Ok(Awaited::Signal(signal)) = self.signals.wait(Some(Instant::now()), &[]) {
            if matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) {
                self.pass_on(signal);
            }
        }
    }

    /// The trial has shown that the new program starts.
    fn become_successor(&mut self, trial: Pid) {
        log::info(log::GENERAL, format_args!("process {trial} is ready: executing the same"));
        let plan = self.plan_in_place(Some(trial));
        let Err(error) = self.with_inheritable(|| self.handover.image.execute(&plan));
        self.reject(format_args!("cannot execute it in this process: {error}"));
    }

    /// What this process hands over to itself: its workers go on serving.
    fn plan_in_place(&self, trial: Option<Pid>) -> String {
        let workers = self.slots.iter().flat_map(|slot| &slot.processes);
        let others = workers.map(|process: &Process| process.pid).chain(trial);
        let others = others.chain(self.takeover.others.iter().copied()).map(Pid::as_raw).collect();
        self.plan(Role::InPlace { others }, None)
    }

    /// Whether threads have come into being here. The supervisor starts none and runs no code of
    /// the program; but a fork with them would not be safe, so that this process then begins
    /// anew, with the sockets it has.
    pub(super) fn shed_threads(&mut self) -> io::Result<()> {
        let Err(found) = guard::check_threads() else { return Ok(()) };
        log::error(log::GENERAL, format_args!("executing the supervisor anew: {found}"));
        let plan = self.plan_in_place(None);
        let executed: io::Result<Infallible> =
            self.with_inheritable(|| self.handover.image.execute_running(&plan));
        executed.map(|_| ())
    }

    /// The new program has failed: it ends, and this one goes on.
    pub(super) fn reject(&mut self, reason: fmt::Arguments<'_>) {
        let Some(upgrade) = &mut self.handover.upgrade else { return };
        if upgrade.failed.is_some() {
            return;
        }
        let pid = upgrade.pid;
        log::error(log::GENERAL, format_args!("the upgrade to process {pid} has failed: {reason}"));
        upgrade.failed = Some(Instant::now());
        self.presence.note_upgrade(true);
        // It finishes its requests, even if it was suspended.
        let _ = kill(pid, Signal::SIGTERM);
        let _ = kill(pid, Signal::SIGCONT);
    }

    /// Returns whether this is a new program that was asked to end.
    pub(super) fn is_rejected(&self, pid: Pid) -> bool {
        self.handover.upgrade.as_ref().is_some_and(|one| one.pid == pid && one.failed.is_some())
    }

    /// Extends the limits of the new program.
    pub(super) fn excuse_successor(&mut self, pause: Duration) {
        if let Some(upgrade) = &mut self.handover.upgrade {
            upgrade.started += pause;
            upgrade.failed.iter_mut().for_each(|since| *since += pause);
        }
    }

    /// Whether it was the new program that has ended.
    pub(super) fn successor_ended(&mut self, pid: Pid, death: Death) -> bool {
        let Some(upgrade) = self.handover.upgrade.take_if(|upgrade| upgrade.pid == pid) else {
            return false;
        };
        match upgrade.failed {
            Some(_) => {
                let text = format_args!("process {pid}, which has failed to take over, {death}");
                log::info(log::GENERAL, text);
            }
            None => {
                let text = "before it was ready: no upgrade, the server goes on";
                log::error(log::GENERAL, format_args!("process {pid} {death} {text}"));
                self.presence.note_upgrade(true);
            }
        }
        true
    }

    pub(super) fn upgrade_deadline(&self) -> Option<Instant> {
        let upgrade = self.handover.upgrade.as_ref()?;
        upgrade.limit(self.options.presence.upgrade_timeout, self.options.stop_limit())
    }

    pub(super) fn upgrade_overdue(&mut self, now: Instant) {
        if self.upgrade_deadline().is_none_or(|limit| limit > now) {
            return;
        }
        let Some(upgrade) = &mut self.handover.upgrade else { return };
        if upgrade.failed.is_some() {
            self.kill_successor();
            return;
        }
        let limit = self.options.presence.upgrade_timeout;
        self.reject(format_args!("it was not ready within {limit:?}"));
    }

    pub(super) fn kill_successor(&mut self) {
        if let Some(upgrade) = &mut self.handover.upgrade {
            let now = Instant::now();
            upgrade.failed = Some(now);
            let _ = kill(upgrade.pid, Signal::SIGKILL);
        }
    }
}
