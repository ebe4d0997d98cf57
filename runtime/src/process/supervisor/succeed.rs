//! The beginning of a server, in a place that another one may have had.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::log;

use super::Supervisor;
use super::slot::{Goal, Slot};
use crate::process::handover::inherited::Succession;
use crate::process::handover::line::Claim;
use crate::process::handover::plan::Role;
use crate::process::host::presence::Phase;

/// The state of taking over from an old server.
pub(super) struct Takeover {
    /// The server that this one replaces.
    pub(super) succession: Option<Succession>,
    /// Children from before this program was executed in this process.
    pub(super) others: Vec<Pid>,
    /// When the `others` were asked to end.
    pub(super) others_dismissed: Option<Instant>,
    /// All workers were ready once.
    pub(super) is_announced: bool,
}

impl Takeover {
    pub(super) fn new(succession: Option<Succession>) -> Self {
        Self { succession, others: Vec::new(), others_dismissed: None, is_announced: false }
    }
}

impl Supervisor {
    /// Notes the processes that serve meanwhile: children of this process from before it executed
    /// this program.
    pub(super) fn take_over(&mut self) {
        let Some(Succession { role: Role::InPlace { others }, .. }) = &self.takeover.succession
        else {
            return;
        };
        self.takeover.others =
            others.iter().map(|&pid| Pid::from_raw(pid)).filter(is_child).collect();
        // Some of them may have ended meanwhile.
        self.reap();
    }

    /// Once all workers are ready: says so to everybody concerned.
    pub(super) fn announce(&mut self) {
        let is_ready = |slot: &Slot| slot.goal != Goal::Served || slot.serving().is_some();
        // If all workers have ended by themselves, none is left to take over.
        let is_ready = self.wanted() > 0 && self.slots.iter().all(is_ready);
        if !self.takeover.is_announced && self.is_serving() && is_ready {
            self.takeover.is_announced = true;
            log::info(log::GENERAL, format_args!("all workers are ready"));
            match self.claim() {
                Some(claim) => claim.say_ready(self.presence.pid_file().is_some()),
                None => self.presence.take_place(),
            }
            self.dismiss_others();
        }
        if self.has_begun() && self.handover.wants_upgrade {
            self.upgrade();
        }
        self.notify();
    }

    /// Returns the line to the predecessor, until the predecessor has left its place.
    pub(super) fn claim(&self) -> Option<&Claim> {
        self.takeover.succession.as_ref()?.claim.as_ref()
    }

    /// Takes the place of the predecessor once it has granted it.
    pub(super) fn hear_predecessor(&mut self) {
        if self.takeover.is_announced && self.claim().is_some_and(|claim| claim.hear().is_ok()) {
            self.takeover.succession.iter_mut().for_each(|taken| taken.claim = None);
            self.presence.take_place();
        }
    }

    /// All workers were ready once, and this is the server.
    pub(super) fn has_begun(&self) -> bool {
        self.takeover.is_announced && self.presence.has_place()
    }

    /// Tells the service manager if something has changed.
    fn notify(&mut self) {
        let phase = match () {
            () if !self.is_serving() => Phase::Stopping,
            () if !self.has_begun() => Phase::Starting,
            () if self.reload_before > 0 || self.handover.upgrade.is_some() => Phase::Reloading,
            () => Phase::Ready,
        };
        let workers = self.slots.iter().filter(|slot| slot.serving().is_some()).count();
        self.presence.notify(phase, workers);
    }

    /// Whether the listeners are this server's alone, so that they are closed with it.
    pub(super) fn owns_listeners(&self) -> bool {
        let is_second = match self.takeover.succession.as_ref().map(|taken| &taken.role) {
            Some(Role::Trial) => true,
            Some(Role::Upgrade) => !self.presence.has_place(),
            Some(Role::InPlace { .. }) | None => false,
        };
        !is_second && !self.handover.has_handed_over
    }

    /// Asks the workers of the old program to end.
    pub(super) fn dismiss_others(&mut self) {
        if !self.takeover.others.is_empty() && self.takeover.others_dismissed.is_none() {
            self.takeover.others_dismissed = Some(Instant::now());
            self.signal_others(Signal::SIGTERM);
            self.signal_others(Signal::SIGCONT);
        }
    }

    pub(super) fn others_deadline(&self) -> Option<Instant> {
        let since = self.takeover.others_dismissed.filter(|_| !self.takeover.others.is_empty())?;
        since.checked_add(self.options.stop_limit())
    }

    pub(super) fn others_overdue(&mut self, now: Instant) {
        if self.others_deadline().is_some_and(|limit| limit <= now) {
            let count = self.takeover.others.len();
            let text = format_args!("killing {count} processes of before: not ended in time");
            log::warn(log::GENERAL, text);
            self.kill_others();
        }
    }

    pub(super) fn kill_others(&mut self) {
        self.takeover.others_dismissed = Some(Instant::now());
        self.signal_others(Signal::SIGKILL);
    }

    /// Continues a process of the old program that was suspended, if it was asked to end.
    pub(super) fn resume_others(&self, pid: Pid) {
        let is_leaving =
            self.takeover.others_dismissed.is_some() && self.takeover.others.contains(&pid);
        if is_leaving || self.is_rejected(pid) {
            let _ = kill(pid, Signal::SIGCONT);
        }
    }

    fn signal_others(&self, signal: Signal) {
        for &pid in &self.takeover.others {
            let _ = kill(pid, signal);
        }
    }
}

/// Whether there is such a child, which may have ended.
fn is_child(pid: &Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let pid = rustix::process::Pid::from_raw(pid.as_raw());
    pid.is_some_and(|pid| waitid(WaitId::Pid(pid), options).is_ok())
}
