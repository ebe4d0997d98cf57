//! The program that this process runs, to be run again.

use std::convert::Infallible;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

use crate::process::handover::inherited::{LISTEN_COUNT, LISTEN_NAMES, LISTEN_PROCESS, SOCKETS};
use crate::process::handover::plan::Role;
use crate::process::host::notify;

/// Where the program is that this process runs, even if something else has that name by now.
const RUNNING: &str = "/proc/self/exe";

/// What systemd has handed over was meant for this program, which hands it on by itself.
const OWN: [&str; 3] = [LISTEN_PROCESS, LISTEN_COUNT, LISTEN_NAMES];

/// The program and its arguments, as they were at the start.
#[derive(Debug)]
pub(crate) struct Image {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Image {
    /// To be called before the file of the program may be replaced.
    pub(crate) fn current() -> io::Result<Self> {
        let arguments: Vec<_> = env::args_os().collect();
        Ok(Self { path: path(arguments.first(), &env::current_exe()?), arguments })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the file at the path of this program in a process of its own, with the signals of
    /// `mask` blocked. `plan` describes the inherited sockets.
    pub(crate) fn spawn(&self, plan: &str, role: &Role, mask: &SigSet) -> io::Result<Pid> {
        let without: &[&str] = match role {
            // The manager does not know of a trial, and need not.
            Role::Trial => &[notify::SOCKET, notify::WATCHDOG_TIME, notify::WATCHDOG_PROCESS],
            _ => &[notify::WATCHDOG_PROCESS],
        };
        let mut attributes = PosixSpawnAttr::init()?;
        let set_signals =
            PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
        attributes.set_flags(set_signals)?;
        attributes.set_sigmask(mask)?;
        // The standard library ignores it in every program, and resets it for those it starts.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        let pid = posix_spawn(
            &*self.path,
            &PosixSpawnFileActions::init()?,
            &attributes,
            &self.arguments()?,
            &environment(plan, without)?,
        )?;
        Ok(pid)
    }

    /// Runs the file at the path of this program in this process.
    pub(crate) fn execute(&self, plan: &str) -> io::Result<Infallible> {
        self.execute_at(&self.path, plan)
    }

    /// Runs the program of this process, in this process.
    pub(crate) fn execute_running(&self, plan: &str) -> io::Result<Infallible> {
        self.execute_at(Path::new(RUNNING), plan)
    }

    /// Signals that are blocked stay so: those that come before the next program awaits them are
    /// not lost.
    fn execute_at(&self, path: &Path, plan: &str) -> io::Result<Infallible> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // The watchdog's process stays the same.
        Ok(nix::unistd::execve(&path, &self.arguments()?, &environment(plan, &[])?)?)
    }

    fn arguments(&self) -> io::Result<Vec<CString>> {
        c_strings(self.arguments.iter().map(|argument| argument.as_bytes()))
    }
}

/// Returns the environment of this process, with `plan` and without the variables that only concern
/// this process.
fn environment(plan: &str, without: &[&str]) -> io::Result<Vec<CString>> {
    let is_left_out = |name: &OsStr| {
        let names = OWN.iter().chain(without).chain([&SOCKETS]);
        names.into_iter().any(|other| name == *other)
    };
    let kept = env::vars_os().filter(|(name, _)| !is_left_out(name));
    let mut variables: Vec<Vec<u8>> =
        kept.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect();
    variables.push(format!("{SOCKETS}={plan}").into_bytes());
    c_strings(variables.iter().map(Vec::as_slice))
}

fn c_strings<'a>(texts: impl Iterator<Item = &'a [u8]>) -> io::Result<Vec<CString>> {
    texts.map(|text| Ok(CString::new(text)?)).collect()
}

/// Returns the path by which the program was called, because it may lead through a link that will
/// lead to another version. Returns the path of the file otherwise.
fn path(called: Option<&OsString>, lies: &Path) -> PathBuf {
    let called = called.map(Path::new).filter(|called| called.components().count() > 1);
    let is_it = |called: &&Path| {
        called
            .canonicalize()
            .is_ok_and(|called| lies.canonicalize().is_ok_and(|lies| called == lies))
    };
    let called = called.filter(is_it).and_then(|called| std::path::absolute(called).ok());
    called.unwrap_or_else(|| without_mark(lies))
}

/// The kernel marks the path of a running program whose file is gone. By now there may be another
/// file with the name.
fn without_mark(path: &Path) -> PathBuf {
    let name = path.as_os_str().as_bytes();
    match name.strip_suffix(b" (deleted)") {
        Some(name) if !path.exists() => OsStr::from_bytes(name).into(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_followed_when_the_program_is_run_again_and_not_before() {
        let directory = env::temp_dir().join(format!("squall-image-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let (first, link) = (directory.join("first"), directory.join("link"));
        fs::write(&first, "").unwrap();
        symlink(&first, &link).unwrap();
        assert_eq!(path(Some(&link.clone().into()), &first), link);
        // A name that was looked up in `PATH`, or one that a caller has made up.
        for other in ["first", "", "/nothing/there", "/"] {
            assert_eq!(path(Some(&other.into()), &first), first);
        }
        assert_eq!(path(None, &first), first);
        let marked = directory.join("first (deleted)");
        assert_eq!(path(None, &marked), first);
        fs::write(&marked, "").unwrap();
        assert_eq!(path(None, &marked), marked);
        fs::remove_dir_all(&directory).unwrap();
    }
}
