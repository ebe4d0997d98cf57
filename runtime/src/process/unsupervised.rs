//! Orders that are a supervisor's to heed, where there is none.

use std::ffi::c_int;
use std::fs::File;
use std::io;

use futures_lite::StreamExt;
use nix::libc::{SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2};

use crate::signal::{Signals, is_awaited_twice};
use crate::{IOLoop, log};

use crate::process::fork::{Disposition, disposition};
use crate::process::guard::signal_name;
use crate::process::single;

/// Has the signals that ask a supervisor for other workers or another program change nothing in
/// this process, which has none: `SIGHUP`, `SIGUSR2`, `SIGTTIN` and `SIGTTOU`. Without this, they
/// would end or suspend it, so that a service whose manager asks it to reload would be gone.
///
/// Each is told of in the log, unless the program awaits it as well, and a service manager that waits
/// for the end of the reload is told of that. Signals that the program handles or ignores by now
/// are left alone; and in a process that has a terminal, all but `SIGUSR2` are left to that: they say
/// that it was closed, or is another's.
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
        single::reload_ordered();
    }
}

/// Whether it is attached to one, and could be told that this is gone.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
