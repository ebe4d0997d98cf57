//! What the system and its service manager see of a server: titles, the pid file, notifications.

mod options;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::log;

use super::affinity;
use super::notify::Notifier;
use super::pid_file::{PidFile, Predecessor};
use super::plan::Role;
use super::privileges::Privileges;
use super::title::Title;

/// What titles begin with by default.
const NAME: &str = "squall";

/// How long a new program may take to start: as long as systemd waits for a service, give or take.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a server is to appear.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What titles begin with; `None` leaves them as they are.
    title: Option<String>,
    pin_cpus: bool,
    privileges: Privileges,
    pid_file: Option<PathBuf>,
    pub(super) upgrade_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: Some(NAME.to_owned()),
            pin_cpus: false,
            privileges: Privileges::default(),
            pid_file: None,
            upgrade_timeout: UPGRADE_TIMEOUT,
        }
    }
}

/// What the service manager is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

/// How this process appears.
#[derive(Debug)]
pub(super) struct Presence {
    title: Option<Title>,
    pins: bool,
    /// Only that of the supervisor, or of the one process there is.
    pid_file: Option<PidFile>,
    /// The pid file of a predecessor, to be replaced when its place is taken.
    to_replace: Option<PathBuf>,
    notifier: Option<Notifier>,
    phase: Phase,
}

impl Presence {
    /// Writes the pid file and gives up rights: all that was to be bound is bound by now. If
    /// this is the successor of another server, its file is left alone until its place is
    /// [taken](Self::take_place).
    pub(super) fn new(settings: &Settings, role: Option<&Role>) -> io::Result<Self> {
        let path = settings.pid_file.as_deref();
        let mut pid_file = None;
        if let (Some(path), None) = (path, role) {
            // While this is root: the directory of the file may be root's.
            let file = PidFile::create(path, Predecessor::None)?;
            settings.privileges.give(&file)?;
            pid_file = Some(file);
        }
        settings.privileges.apply()?;
        let is_trial = role == Some(&Role::Trial);
        Ok(Self {
            title: settings.title.as_deref().map(Title::new),
            pins: settings.pin_cpus,
            pid_file,
            to_replace: path.filter(|_| role.is_some() && !is_trial).map(Into::into),
            notifier: if is_trial { None } else { Notifier::from_environment() },
            phase: Phase::Starting,
        })
    }

    /// This process supervises. It has one thread.
    pub(super) fn enter_supervisor(&mut self) {
        if let Some(title) = &mut self.title {
            title.set("supervisor");
        }
    }

    /// This process, just forked, is worker `id`.
    pub(super) fn enter_worker(mut self, id: usize) {
        if let Some(title) = &mut self.title {
            title.set(&format!("worker {id}"));
        }
        if self.pins
            && let Err(error) = affinity::pin(id)
        {
            let text = format_args!("worker {id} runs on any processor: {error}");
            log::warn(log::GENERAL, text);
        }
    }

    /// The server is ready, and has the place of its predecessor if there was one.
    pub(super) fn take_place(&mut self) {
        let Some(path) = self.to_replace.take() else { return };
        match PidFile::create(&path, Predecessor::Running) {
            Ok(file) => self.pid_file = Some(file),
            // It serves, which is more than a file.
            Err(error) => log::error(log::GENERAL, format_args!("{error}")),
        }
    }

    /// Another process is the server from now on.
    pub(super) fn hand_over(&mut self, pid: u32) {
        if let Some(file) = self.pid_file.take() {
            file.leave();
        }
        if let Some(notifier) = self.notifier.take() {
            notifier.handed_over(pid);
        }
    }

    /// Tells the manager which phase this is, if that is news to it.
    pub(super) fn notify(&mut self, phase: Phase, workers: usize) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        let Some(notifier) = &self.notifier else { return };
        match phase {
            Phase::Starting => {}
            Phase::Ready => notifier.ready(format_args!("{workers} workers serve")),
            Phase::Reloading => notifier.reloading(format_args!("other workers are started")),
            Phase::Stopping => notifier.stopping(format_args!("requests in flight are finished")),
        }
    }

    /// When the manager wants a sign of life.
    pub(super) fn next_sign_of_life(&self) -> Option<Instant> {
        self.notifier.as_ref()?.next_sign_of_life()
    }

    pub(super) fn sign_of_life(&mut self, now: Instant) {
        if let Some(notifier) = &mut self.notifier {
            notifier.sign_of_life(now);
        }
    }

    /// The server ends: nothing of it is to be left.
    pub(super) fn leave(&mut self) {
        self.pid_file = None;
    }
}
