//! A server of one process: what it tells others, and what it takes over, without a supervisor.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::net::sockets_taken;
use crate::{IOLoop, sleep_until, yield_now};

use super::inherited;
use super::plan::Role;
use super::presence::{Phase, Presence, Settings};
use super::signals::Signals;

/// What a new program writes when it is ready.
pub(super) const READY: u8 = b'R';

thread_local! {
    /// Until the thread ends, and with it the pid file.
    static PRESENCE: RefCell<Option<Presence>> = const { RefCell::new(None) };
}

/// Has this process appear as `settings` say, and take its predecessor's place once its loop
/// runs.
pub(super) fn enter(settings: &Settings) -> io::Result<()> {
    let succession = inherited::succession()?;
    let role = succession.as_ref().map(|succession| &succession.role);
    PRESENCE.set(Some(Presence::new(settings, role)?));
    IOLoop::current().spawn_callback(async move {
        sockets_taken().await;
        // The tasks that accept were spawned before this one was woken, or just now.
        yield_now().await;
        // The log says what went wrong where something did.
        let _ = inherited::close_unbound();
        with_presence(|presence| {
            presence.take_place();
            presence.notify(Phase::Ready, 1);
        });
        if let Some(succession) = succession {
            if let Some(ready) = succession.ready {
                let _ = File::from(ready).write(&[READY]);
            }
            if let Role::InPlace { others } = succession.role {
                Signals::unblock();
                for pid in others {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
                }
            }
        }
        give_signs_of_life().await;
    });
    Ok(())
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

fn with_presence(act: impl FnOnce(&mut Presence)) {
    PRESENCE.with_borrow_mut(|presence| {
        if let Some(presence) = presence {
            act(presence);
        }
    });
}
