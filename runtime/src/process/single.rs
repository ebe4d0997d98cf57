//! A server of one process: it notifies the service manager and takes over from a predecessor,
//! without a supervisor.

use std::cell::RefCell;
use std::io;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fd::AsyncFd;
use crate::net::sockets_taken;
use crate::{IOLoop, sleep_until, yield_now};

use crate::process::handover::inherited;
use crate::process::handover::line::Claim;
use crate::process::handover::plan::Role;
use crate::process::host::presence::{Phase, Presence, Settings};
use crate::process::supervisor::signals::Signals;

thread_local! {
    /// Until the thread ends, and with it the pid file.
    static PRESENCE: RefCell<Option<Presence>> = const { RefCell::new(None) };
}

/// Has this process appear as `settings` say, and take its predecessor's place once its loop
/// runs.
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
                Signals::unblock();
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
pub(super) fn begin_drain() {
    with_presence(|presence| presence.notify(Phase::Stopping, 1));
}

/// Answers a reload request, which has no effect here.
pub(super) fn reload_ordered() {
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
