//! The server as the kernel and the service manager see it: titles, the pid file, notifications.

mod options;

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::log;

use crate::process::handover::inherited::Succession;
use crate::process::handover::plan::Role;
use crate::process::host::notify::Notifier;
use crate::process::host::pid_file::PidFile;
use crate::process::host::privileges::Privileges;
use crate::process::host::title::Title;

/// How long a new program may take to start: as long as systemd waits for a service, give or take.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a server is to appear.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What titles begin with; `None` leaves them as they are.
    title: Option<String>,
    pin_cpus: bool,
    privileges: Privileges,
    pid_file: Option<PathBuf>,
    pub(crate) upgrade_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: Some(program_name()),
            pin_cpus: false,
            privileges: Privileges::default(),
            pid_file: None,
            upgrade_timeout: UPGRADE_TIMEOUT,
        }
    }
}

/// The name of the program, as it was called.
fn program_name() -> String {
    let called = env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "squall".to_owned())
}

/// The state that the service manager knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Starting,
    Ready,
    Reloading,
    Stopping,
}

/// The state of a serving server that the manager knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Serving {
    workers: usize,
    /// The last one.
    has_failed_upgrade: bool,
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.workers {
            1 => f.write_str("1 worker serves")?,
            workers => write!(f, "{workers} workers serve")?,
        }
        if self.has_failed_upgrade { f.write_str("; the upgrade has failed") } else { Ok(()) }
    }
}

/// How this process appears.
#[derive(Debug)]
pub(crate) struct Presence {
    title: Option<Title>,
    pins: bool,
    /// Held by the supervisor, or by the only process.
    pid_file: Option<PidFile>,
    /// A pid file to be written when the place of a predecessor is taken.
    to_write: Option<PathBuf>,
    notifier: Option<Notifier>,
    phase: Phase,
    /// The last state that was reported.
    told: Serving,
    has_failed_upgrade: bool,
    /// Whether this is the service: a successor is not before its predecessor has said so.
    has_place: bool,
}

impl Presence {
    /// Writes the pid file and gives up rights: all that was to be bound is bound by now. If
    /// this is the successor of another server, its file is left alone until its place is
    /// [taken](Self::take_place).
    pub(crate) fn new(
        settings: &Settings,
        succession: Option<&mut Succession>,
    ) -> io::Result<Self> {
        let mut role = None;
        let handed = succession.and_then(|succession| {
            role = Some(succession.role.clone());
            succession.pid_file.take()
        });
        let is_trial = role == Some(Role::Trial);
        let path = settings.pid_file.as_deref().filter(|_| !is_trial);
        let mut pid_file = path.zip(handed).and_then(|(path, file)| PidFile::inherit(path, file));
        let mut to_write = path.filter(|_| pid_file.is_none());
        if let (Some(path), None) = (to_write, &role) {
            // While this is root: the directory of the file may be root's.
            let file = PidFile::create(path)?;
            settings.privileges.give(&file)?;
            (pid_file, to_write) = (Some(file), None);
        }
        settings.privileges.apply()?;
        let mut presence = Self {
            title: settings.title.as_deref().map(Title::new),
            pins: settings.pin_cpus,
            pid_file,
            to_write: to_write.map(Into::into),
            notifier: if is_trial { None } else { Notifier::from_environment() },
            phase: Phase::Starting,
            told: Serving::default(),
            has_failed_upgrade: false,
            has_place: role.is_none(),
        };
        if let Some(Role::InPlace { .. }) = role {
            // It is the same process.
            presence.take_place();
        }
        Ok(presence)
    }

    /// This process supervises. It has one thread.
    pub(crate) fn enter_supervisor(&mut self) {
        if let Some(title) = &mut self.title {
            title.set("supervisor");
        }
    }

    /// This process, just forked, is worker `id`.
    pub(crate) fn enter_worker(mut self, id: usize) {
        if let Some(title) = &mut self.title {
            title.set(&format!("worker {id}"));
        }
        if self.pins
            && let Err(error) = pin_to_cpu(id)
        {
            let text = format_args!("worker {id} runs on any processor: {error}");
            log::warn(log::GENERAL, text);
        }
    }

    /// Whether this is the service.
    pub(crate) fn has_place(&self) -> bool {
        self.has_place
    }

    /// This process is the service from now on, in the place of its predecessor.
    pub(crate) fn take_place(&mut self) {
        if std::mem::replace(&mut self.has_place, true) {
            return;
        }
        let written = match (&mut self.pid_file, self.to_write.take()) {
            (Some(file), _) => file.take(),
            (None, Some(path)) => PidFile::create(&path).map(|file| self.pid_file = Some(file)),
            (None, None) => return,
        };
        if let Err(error) = written {
            // It serves, which is more than a file.
            log::error(log::GENERAL, format_args!("{error}"));
        }
    }

    /// The pid file, to be handed over.
    pub(crate) fn pid_file(&self) -> Option<&PidFile> {
        self.pid_file.as_ref()
    }

    /// Another process is the server from now on. It goes on with the pid file, or has none there.
    pub(crate) fn hand_over(&mut self, pid: u32, with_file: bool) {
        if let Some(file) = self.pid_file.take_if(|_| with_file)
            && let Err(error) = file.leave(pid)
        {
            log::error(log::GENERAL, format_args!("the pid file is not up to date: {error}"));
        }
        self.pid_file = None;
        if let Some(notifier) = self.notifier.take() {
            notifier.handed_over(pid);
        }
    }

    /// Notes that a reload was requested. The manager is notified each time, and then waits for the
    /// report that the server is ready, even if there is nothing to do.
    pub(crate) fn reload_ordered(&mut self, workers: usize) {
        if self.phase == Phase::Reloading {
            self.phase = Phase::Ready;
        }
        if self.phase == Phase::Ready {
            self.notify(Phase::Reloading, workers);
        }
    }

    pub(crate) fn is_reloading(&self) -> bool {
        self.phase == Phase::Reloading
    }

    /// Notes the result of the last upgrade. The next [`notify`](Self::notify) reports it.
    pub(crate) fn note_upgrade(&mut self, has_failed: bool) {
        self.has_failed_upgrade = has_failed;
    }

    /// Tells the manager which phase this is, and of how many workers, if that is news to it.
    pub(crate) fn notify(&mut self, phase: Phase, workers: usize) {
        let serving = Serving { workers, has_failed_upgrade: self.has_failed_upgrade };
        let is_same = self.phase == phase;
        if !self.has_place || (is_same && (phase != Phase::Ready || self.told == serving)) {
            return;
        }
        (self.phase, self.told) = (phase, serving);
        let Some(notifier) = &self.notifier else { return };
        match phase {
            Phase::Starting => {}
            Phase::Ready if is_same => notifier.status(format_args!("{serving}")),
            Phase::Ready => notifier.ready(format_args!("{serving}")),
            Phase::Reloading => notifier.reloading(format_args!("other workers are started")),
            Phase::Stopping => notifier.stopping(format_args!("requests in flight are finished")),
        }
    }

    /// When the manager wants a sign of life.
    pub(crate) fn next_sign_of_life(&self) -> Option<Instant> {
        self.notifier.as_ref().filter(|_| self.has_place)?.next_sign_of_life()
    }

    pub(crate) fn sign_of_life(&mut self, now: Instant) {
        if let Some(notifier) = self.notifier.as_mut().filter(|_| self.has_place) {
            notifier.sign_of_life(now);
        }
    }

    /// Cleans up when the server ends.
    pub(crate) fn leave(&mut self) {
        self.pid_file = None;
    }
}

/// Binds this process to one of the processors that it may use. If `number` is larger than their
/// count, counting starts again from the first.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn pin_to_cpu(number: usize) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let usable = sched_getaffinity(None)?;
    let processors: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|&processor| usable.is_set(processor)).collect();
    let Some(place) = number.checked_rem(processors.len()) else { return Ok(()) };
    let mut one = CpuSet::new();
    one.set(processors[place]);
    Ok(sched_setaffinity(None, &one)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pin_to_cpu(_number: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
