//! Refuses to fork a process that has threads, a loop or signal handlers.
//!
//! A fork copies memory but not threads, and the processes share kernel objects. Each refusal here
//! prevents a fault that is hard to find later: a pool without its threads waits for ever, and a
//! poller that two processes inherit gives each the events of the other.

#[cfg_attr(not(target_os = "linux"), path = "guard/no_threads.rs")]
mod threads;

use std::ffi::c_int;
use std::io;

use nix::libc;
use nix::sys::signal::Signal;

use crate::io_loop::existing_loop;

use crate::process::fork::{self, FAULTS};
use crate::process::task_id;

/// Fails if this process must not fork. The error names the reason.
pub(super) fn check() -> io::Result<()> {
    match obstacle()? {
        Some(obstacle) => Err(io::Error::other(format!("cannot fork: {obstacle}"))),
        None => Ok(()),
    }
}

fn obstacle() -> io::Result<Option<String>> {
    if let Some(id) = task_id() {
        return Ok(Some(format!("this process is already worker {id}")));
    }
    if let Some(place) = existing_loop() {
        return Ok(Some(format!(
            "an IOLoop was made at {place}; make it after the fork, for the workers would all \
             share its poller"
        )));
    }
    if let Some(signal) = fork::caught().find(|signal| !is_harmless(*signal)) {
        return Ok(Some(format!(
            "a handler for {} is installed; install it after the fork, for each worker would \
             run it on what belongs to this process",
            signal_name(signal)
        )));
    }
    other_threads()
}

/// Fails if this process has other threads: a part of [`check`] that is worth a look before every
/// fork.
pub(super) fn check_threads() -> io::Result<()> {
    match other_threads()? {
        Some(threads) => Err(io::Error::other(threads)),
        None => Ok(()),
    }
}

fn other_threads() -> io::Result<Option<String>> {
    let threads = threads::others()?;
    Ok((!threads.is_empty()).then(|| {
        format!(
            "there are other threads ({}); start them after the fork, for a worker has none of \
             them and waits for ever for what they hold",
            threads.join(", ")
        )
    }))
}

/// Handlers that report a fault of the program, or that profile it.
fn is_harmless(signal: c_int) -> bool {
    FAULTS.contains(&signal) || signal == libc::SIGPROF
}

pub(super) fn signal_name(signal: c_int) -> String {
    match Signal::try_from(signal) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_are_named() {
        let (end, ended) = mpsc::channel::<()>();
        let pool = thread::Builder::new().name("pool worker".to_owned());
        let thread = pool.spawn(move || ended.recv().is_err()).unwrap();
        let names = threads::others().unwrap();
        assert!(names.iter().any(|name| name == "`pool worker`"), "{names:?}");
        drop(end);
        assert!(thread.join().unwrap());
    }

    #[test]
    fn signal_handlers_for_faults_do_not_prevent_a_fork() {
        // Rust itself has installed one.
        assert!(fork::caught().any(|signal| signal == libc::SIGSEGV));
        assert!(is_harmless(libc::SIGSEGV) && !is_harmless(libc::SIGTERM));
    }

    #[test]
    fn a_signal_without_a_name_is_named_by_its_number() {
        assert_eq!(signal_name(libc::SIGTERM), "SIGTERM");
        assert_eq!(signal_name(40), "signal 40");
    }
}
