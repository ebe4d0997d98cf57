//! What the system and its service manager see of a server: titles, the pid file.

mod options;

use std::io;
use std::path::PathBuf;

use crate::log;

use super::affinity;
use super::pid_file::{PidFile, Predecessor};
use super::privileges::Privileges;
use super::title::Title;

/// What titles begin with by default.
const NAME: &str = "squall";

/// How a server is to appear.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What titles begin with; `None` leaves them as they are.
    pub(super) title: Option<String>,
    pub(super) pin_cpus: bool,
    pub(super) privileges: Privileges,
    pub(super) pid_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: Some(NAME.to_owned()),
            pin_cpus: false,
            privileges: Privileges::default(),
            pid_file: None,
        }
    }
}

/// How this process appears.
#[derive(Debug)]
pub(super) struct Presence {
    title: Option<Title>,
    pins: bool,
    /// Only that of the supervisor, or of the one process there is.
    pid_file: Option<PidFile>,
}

impl Presence {
    /// Writes the pid file and gives up rights: all that was to be bound is bound by now. Titles
    /// are [`set`](Self::enter_supervisor) later.
    pub(super) fn new(settings: &Settings, predecessor: Predecessor) -> io::Result<Self> {
        // The directory of the file may be root's.
        let create = |path: &PathBuf| PidFile::create(path, predecessor);
        let pid_file = settings.pid_file.as_ref().map(create).transpose()?;
        settings.privileges.apply()?;
        Ok(Self {
            title: settings.title.as_deref().map(Title::new),
            pins: settings.pin_cpus,
            pid_file,
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

    /// The server ends: nothing of it is to be left.
    pub(super) fn leave(&mut self) {
        self.pid_file = None;
    }
}
