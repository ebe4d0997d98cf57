//! The signals that only a supervisor can obey.

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
        single::reload_ordered();
    }
}

/// Returns whether the process has a terminal, which may be closed.
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
