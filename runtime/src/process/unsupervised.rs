//! A server of one process, without a supervisor.
//!
//! It has a pid file, and notifies the service manager and a predecessor. It cannot replace
//! workers, so it declines the signals that request this.

use std::cell::RefCell;
use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::time::Instant;

use futures_lite::StreamExt;
use nix::libc::{SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fd::AsyncFd;
use crate::net::sockets_taken;
use crate::signal::{Signals, is_awaited_twice};
use crate::{IOLoop, log, sleep_until, yield_now};

use crate::process::fork::{Disposition, disposition};
use crate::process::guard::signal_name;
use crate::process::handover::inherited;
use crate::process::handover::line::Claim;
use crate::process::handover::plan::Role;
use crate::process::host::presence::{Phase, Presence, Settings};
use crate::process::supervisor::signals;

thread_local! {
    /// Kept until the thread ends, which removes the pid file.
    static PRESENCE: RefCell<Option<Presence>> = const { RefCell::new(None) };
}

/// Sets the title, the pid file and the privileges of this process. Once its loop runs, the process
/// takes the place of its predecessor.
#[track_caller]
pub(super) fn enter(settings: &Settings) -> io::Result<()> {
    let mut succession = inherited::succession()?;
    PRESENCE.set(Some(Presence::new(settings, succession.as_mut())?));
    IOLoop::current().spawn_callback(async move {
        sockets_taken().await;
        // The tasks that accept were spawned before this one was woken, or just now.
        yield_now().await;
        // The log says what went wrong where something did.
        let _ = inherited::close_unbound();
        let mut others = Vec::new();
        if let Some(succession) = succession {
            if let Some(claim) = succession.claim {
                granted(claim).await;
            }
            if let Role::InPlace { others: before } = succession.role {
                signals::Signals::unblock();
                others = before;
            }
        }
        with_presence(|presence| {
            presence.take_place();
            presence.notify(Phase::Ready, 1);
        });
        for pid in others {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            // It may be suspended.
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
        give_signs_of_life().await;
    });
    Ok(())
}

/// Waits until the predecessor has left its place, or is gone.
async fn granted(claim: Claim) {
    let mut has_pid_file = false;
    with_presence(|presence| has_pid_file = presence.pid_file().is_some());
    claim.say_ready(has_pid_file);
    // It cannot fail but for want of descriptors; then there is nothing to wait with.
    if let Ok(claim) = AsyncFd::new(claim) {
        let _ = claim.read_with(Claim::hear).await;
    }
}

async fn give_signs_of_life() {
    let mut next = None;
    loop {
        with_presence(|presence| {
            presence.sign_of_life(Instant::now());
            next = presence.next_sign_of_life();
        });
        match next {
            Some(time) => sleep_until(time).await,
            None => return,
        }
    }
}

/// The one process there is begins to end.
pub(super) fn notify_stopping() {
    with_presence(|presence| presence.notify(Phase::Stopping, 1));
}

/// Answers a reload request, which has no effect here.
fn note_reload() {
    with_presence(|presence| {
        presence.reload_ordered(1);
        if presence.is_reloading() {
            presence.notify(Phase::Ready, 1);
        }
    });
}

fn with_presence(act: impl FnOnce(&mut Presence)) {
    PRESENCE.with_borrow_mut(|presence| {
        if let Some(presence) = presence {
            act(presence);
        }
    });
}

/// Makes the signals `SIGHUP`, `SIGUSR2`, `SIGTTIN` and `SIGTTOU` harmless in this process. Only a
/// supervisor can obey them. By default they would end or suspend the process, so a service whose
/// manager asks it to reload would be gone.
///
/// Each signal is logged, unless the program awaits it as well. A service manager that waits for
/// the end of a reload is notified. Signals that the program handles or ignores already are left
/// alone. In a process with a terminal, so are all but `SIGUSR2`, because the terminal uses them.
///
/// To be called on the thread of the loop.
///
/// # Errors
///
/// If the process has no file descriptor left.
///
/// # Examples
///
/// ```
/// squall_runtime::process::decline_reloads()?;
/// signal_hook::low_level::raise(signal_hook::consts::SIGUSR2)?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn decline_reloads() -> io::Result<()> {
    let mut declined = vec![SIGUSR2];
    if !has_terminal() {
        declined.extend([SIGHUP, SIGTTIN, SIGTTOU]);
    }
    declined.retain(|&signal| disposition(signal) == Some(Disposition::Default));
    let mut orders = Signals::new(declined)?;
    IOLoop::current().spawn_callback(async move {
        while let Some(order) = orders.next().await {
            decline(order);
        }
    });
    Ok(())
}

fn decline(order: c_int) {
    if is_awaited_twice(order) {
        return;
    }
    let name = signal_name(order);
    let what = match order {
        SIGTTIN | SIGTTOU => "there are no workers to have more or fewer of",
        _ => "nothing is replaced",
    };
    log::warn(
        log::GENERAL,
        format_args!("{name}: {what}, this process serves without a supervisor"),
    );
    if order == SIGHUP {
        note_reload();
    }
}

/// Returns whether the process has a terminal, which may be closed.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
