//! The fork itself, and the first steps of a child: the only `unsafe` code about processes.

#![expect(unsafe_code, reason = "neither fork nor sigaction can be made safe by a wrapper")]

use std::env;
use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};
use nix::unistd::{ForkResult, Pid};

use crate::process::guard;
use crate::process::handover::inherited;
use crate::process::host::notify;
use crate::process::worker::lifeline::{self, Lifeline};

/// Signals that a fault in the program itself raises. Handlers of these report the fault and touch
/// no shared state; Rust's own reports a stack overflow.
pub(super) const FAULTS: [c_int; 7] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

/// More than any system has. Asking about a signal that does not exist is harmless.
const HIGHEST_SIGNAL: c_int = 128;

/// What happens when a signal comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Disposition {
    Default,
    Ignored,
    /// A handler runs.
    Caught,
}

/// On which side of the fork this is.
#[derive(Debug)]
pub(super) enum Forked {
    Worker,
    Supervisor(Pid),
}

/// Forks a worker, tied to `lifeline`.
///
/// All signals are blocked from before the fork until the worker is one: a signal that comes in
/// between has its effect in the process it was sent to, after that. The worker's mask is `mask`
/// in the end.
pub(super) fn fork_worker(lifeline: &mut Lifeline, mask: &SigSet) -> io::Result<Forked> {
    guard::check_threads()?;
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child of a process with several threads could use state that another thread had
    // half changed, such as the allocator. The guard has just checked that this process has one
    // thread.
    let forked = unsafe { nix::unistd::fork() };
    let (result, after) = match forked {
        Ok(ForkResult::Child) => {
            forget_supervision();
            lifeline.hold(lifeline::die);
            become_worker();
            (Ok(Forked::Worker), mask)
        }
        Ok(ForkResult::Parent { child }) => (Ok(Forked::Supervisor(child)), &before),
        Err(error) => (Err(error.into()), &before),
    };
    // It fails for a set that is none.
    let _ = after.thread_set_mask();
    result
}

/// Variables that are meant for the supervisor: a program that a worker starts must not speak for
/// the service, or take the sockets of some process for its own.
const SUPERVISION: [&str; 7] = [
    notify::SOCKET,
    notify::WATCHDOG_TIME,
    notify::WATCHDOG_PROCESS,
    inherited::SOCKETS,
    inherited::LISTEN_PROCESS,
    inherited::LISTEN_COUNT,
    inherited::LISTEN_NAMES,
];

/// Takes a descriptor that this process was started with, so that it is closed when the returned
/// value is dropped. Returns `None` if it is not open.
///
/// The caller knows the number from the process that started this one, and asks once for each
/// number.
pub(super) fn take_descriptor(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: this only asks, and so for any number.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return None;
    }
    // SAFETY: the kernel has just confirmed that it is open. It was open when the process began,
    // for this purpose and for this process, so no other part of the program owns it; and it is
    // taken once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Called in a worker, before anything else.
fn forget_supervision() {
    for name in SUPERVISION {
        // SAFETY: another thread could read the environment at this moment. This process was
        // forked just now, and so has only this one.
        unsafe { env::remove_var(name) };
    }
}

/// Gives signals the effect they should have in a worker.
///
/// A program that the worker starts has the dispositions with which this program was started:
/// `execve` keeps ignored signals ignored, and resets handled ones.
fn become_worker() {
    for signal in caught() {
        if !FAULTS.contains(&signal) {
            set_disposition(signal, libc::SIG_DFL);
        }
    }
    // A terminal sends these to all processes of the server; the supervisor acts on them.
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        if disposition(signal as c_int) != Some(Disposition::Ignored) {
            handle_by_nothing(signal);
        }
    }
    // The supervisor sends these. They must have an effect before the worker handles them.
    for signal in [libc::SIGTERM, libc::SIGABRT] {
        if disposition(signal) == Some(Disposition::Ignored) {
            set_disposition(signal, libc::SIG_DFL);
        }
    }
}

/// The signals for which a handler is installed.
pub(super) fn caught() -> impl Iterator<Item = c_int> {
    (1..=HIGHEST_SIGNAL).filter(|&signal| disposition(signal) == Some(Disposition::Caught))
}

/// What happens on `signal`. `None` if there is no such signal.
pub(super) fn disposition(signal: c_int) -> Option<Disposition> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null pointer for the new action changes nothing; the other one is valid for a
    // write of the type.
    let result = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return None;
    }
    // SAFETY: all zeros is a valid value of this struct of integers, a nullable function and a
    // set of bits; and `sigaction` has succeeded and overwritten it.
    let action = unsafe { action.assume_init() };
    Some(match action.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Caught,
    })
}

/// Signals that the supervisor would not receive if they are ignored, though they are blocked.
/// Linux keeps a blocked signal pending even if it is ignored, but it reaps the children of a
/// process that ignores `SIGCHLD`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LOST_IF_IGNORED: [c_int; 1] = [libc::SIGCHLD];
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LOST_IF_IGNORED: [c_int; 6] =
    [libc::SIGCHLD, libc::SIGTERM, libc::SIGHUP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGUSR2];

/// Makes sure that the supervisor receives its signals, also if the program was started with them
/// ignored. They are blocked. All others keep their disposition, which programs that a worker
/// starts inherit.
pub(super) fn ignore_nothing_awaited() {
    for signal in LOST_IF_IGNORED {
        set_disposition(signal, libc::SIG_DFL);
    }
}

/// `action` is `SIG_DFL` or `SIG_IGN`.
fn set_disposition(signal: c_int, action: libc::sighandler_t) {
    // SAFETY: neither of the two actions runs any code of this process, so that there is no
    // handler that might do what a handler must not.
    unsafe { libc::signal(signal, action) };
}

/// Handles `signal` by a function that does nothing.
fn handle_by_nothing(signal: Signal) {
    extern "C" fn nothing(_: c_int) {}
    let handler = SigHandler::Handler(nothing);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler touches nothing, and so may run at any time.
    let result = unsafe { nix::sys::signal::sigaction(signal, &action) };
    debug_assert!(result.is_ok(), "it fails only for a signal that cannot be handled");
}
