//! The sockets that this process was started with.
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES` | systemd | the number of sockets, from descriptor 3 on, and their names |
//! | `SQUALL_SOCKETS` | the server that this one replaces | see [`Plan`] |
//!
//! Each variable names a process, because all descendants inherit variables. Other processes ignore
//! it.

use std::env;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::process::id;
use std::sync::{Mutex, PoisonError};

use nix::unistd::getppid;

use crate::log;
use crate::net::{Handed, Traits};

use crate::process::fork::take_descriptor;
use crate::process::handover::line::Claim;
use crate::process::handover::plan::{Group, Plan, Role};

/// What one server hands over to the next.
pub(crate) const SOCKETS: &str = "SQUALL_SOCKETS";
/// Which process the other two are meant for.
pub(crate) const LISTEN_PROCESS: &str = "LISTEN_PID";
/// How many sockets there are.
pub(crate) const LISTEN_COUNT: &str = "LISTEN_FDS";
/// What they are called.
pub(crate) const LISTEN_NAMES: &str = "LISTEN_FDNAMES";

/// The first descriptor that systemd hands over: those before it are standard input, output and
/// error.
const FIRST: RawFd = 3;

/// The server that this process should replace.
#[derive(Debug)]
pub(crate) struct Succession {
    pub(crate) role: Role,
    /// The line on which to report that this server is ready.
    pub(crate) claim: Option<Claim>,
    /// The pid file of the replaced server.
    pub(crate) pid_file: Option<OwnedFd>,
    /// The memory in which workers exchange messages.
    pub(crate) area: Option<OwnedFd>,
}

/// The inherited sockets once they have been read, or the error. They are read once: the numbers of
/// descriptors that were taken, and closed after an error, may belong to other files by then.
static STATE: Mutex<Option<Result<State, Failure>>> = Mutex::new(None);

struct State {
    /// The sockets that have not been bound yet.
    handed: Vec<Handed>,
    succession: Option<Succession>,
}

/// An error that every caller receives.
struct Failure {
    kind: io::ErrorKind,
    text: String,
}

/// Calls `bind` with the inherited sockets that are not bound yet.
pub(crate) fn with_unbound<T>(bind: impl FnOnce(&mut Vec<Handed>) -> T) -> io::Result<T> {
    with_state(|state| bind(&mut state.handed))
}

fn with_state<T>(act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let fail = |error: io::Error| Failure { kind: error.kind(), text: error.to_string() };
    match state.get_or_insert_with(|| State::look().map_err(fail)) {
        Ok(state) => Ok(act(state)),
        Err(failure) => Err(io::Error::new(failure.kind, failure.text.clone())),
    }
}

/// Closes the sockets that the program has not bound: their clients would wait for ever.
pub(crate) fn close_unbound() -> io::Result<()> {
    for handed in with_unbound(std::mem::take)? {
        let text = format_args!("closing {handed}, which was handed over and is not bound");
        log::warn(log::GENERAL, text);
    }
    Ok(())
}

/// Returns the server that this process should replace, to the first caller.
pub(crate) fn succession() -> io::Result<Option<Succession>> {
    with_state(|state| state.succession.take())
}

impl State {
    fn look() -> io::Result<Self> {
        let mut handed = from_systemd();
        let mut succession = None;
        if let Ok(text) = env::var(SOCKETS)
            && let Some(plan) = Plan::parse(&text, id(), getppid().as_raw().cast_unsigned())
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("{SOCKETS} is malformed: {error}"))
                })?
        {
            for group in plan.groups {
                handed.push(take(group)?);
            }
            let claim = plan.ready.map(take_one).transpose()?.map(Claim::new);
            let pid_file = plan.pid_file.map(take_one).transpose()?;
            let area = plan.area.map(take_one).transpose()?;
            succession = Some(Succession { role: plan.role, claim, pid_file, area });
        }
        Ok(Self { handed, succession })
    }
}

fn take(group: Group) -> io::Result<Handed> {
    let descriptors =
        group.descriptors.into_iter().map(take_one).collect::<io::Result<Vec<_>>>()?;
    Handed::new(descriptors, group.traits, group.name)
}

fn take_one(number: RawFd) -> io::Result<OwnedFd> {
    let missing = || {
        let text = format!("descriptor {number} was to be handed over, and is not open");
        io::Error::new(io::ErrorKind::NotFound, text)
    };
    let taken = take_descriptor(number).ok_or_else(missing)?;
    rustix::io::fcntl_setfd(&taken, rustix::io::FdFlags::CLOEXEC)?;
    Ok(taken)
}

/// A socket that cannot be served here, such as one for datagrams, is no reason not to serve the
/// others.
fn from_systemd() -> Vec<Handed> {
    let variable = |name| env::var(name).ok();
    let (process, count) = (variable(LISTEN_PROCESS), variable(LISTEN_COUNT));
    let count = count_for(id(), process.as_deref(), count.as_deref());
    let names = variable(LISTEN_NAMES).unwrap_or_default();
    let mut names = names.split(':');
    let mut handed = Vec::new();
    for number in (FIRST..).take(count) {
        let name = names.next().unwrap_or_default();
        let traits = Traits { shared: true, any_port: false };
        match take_one(number).and_then(|one| Handed::new(vec![one], traits, name)) {
            Ok(one) => handed.push(one),
            Err(error) => {
                let text = format_args!("descriptor {number} of systemd is not used: {error}");
                log::warn(log::GENERAL, text);
            }
        }
    }
    handed
}

/// How many sockets are meant for `own`.
fn count_for(own: u32, process: Option<&str>, count: Option<&str>) -> usize {
    let is_ours = process.is_some_and(|process| process.parse() == Ok(own));
    let count = || count?.parse::<u16>().ok();
    if is_ours { count().map_or(0, usize::from) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_meant_for_another_process_are_ignored() {
        assert_eq!(count_for(17, Some("17"), Some("2")), 2);
        assert_eq!(count_for(17, Some("18"), Some("2")), 0);
        assert_eq!(count_for(17, None, Some("2")), 0);
        for nonsense in ["", "-1", "many", "70000"] {
            assert_eq!(count_for(17, Some("17"), Some(nonsense)), 0);
        }
    }
}
