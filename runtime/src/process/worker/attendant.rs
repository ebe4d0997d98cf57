//! Reports the worker's state to the supervisor, and follows its orders.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::fd::AsyncFd;
use crate::net::{serves_adopted, set_adopted, sockets_taken};
use crate::{IOLoop, log, yield_now};

use crate::process::shared::scoreboard::{Scoreboard, SlotPage, State};
use crate::process::shared::wire::{Heard, Wire};

thread_local! {
    static ATTENDED: RefCell<Option<(Rc<Wire>, SlotPage)>> = const { RefCell::new(None) };
}

/// Makes this worker report when it is ready and follow the orders of its supervisor, once its loop
/// runs. Called right after the fork.
pub(crate) fn attend(wire: Wire, page: SlotPage, scoreboard: Scoreboard) -> io::Result<()> {
    let wire = Rc::new(wire);
    ATTENDED.set(Some((Rc::clone(&wire), page)));
    let rings = AsyncFd::new(Rc::clone(&wire))?.internal();
    IOLoop::current().spawn_callback(async move {
        sockets_taken().await;
        // The tasks that accept were spawned before this one was woken, or just now.
        yield_now().await;
        page.set_adopts(serves_adopted());
        if page.state() == State::Starting {
            page.set_state(State::Ready);
        }
        wire.ring();
        drop(wire);
        while next_ring(&rings).await.is_ok() {
            set_adopted(adopted(page, scoreboard));
        }
    });
    Ok(())
}

/// Waits for the supervisor to ring. Fails when the supervisor is gone; the lifeline handles that.
async fn next_ring(rings: &AsyncFd<Rc<Wire>>) -> io::Result<()> {
    let listen = |wire: &Rc<Wire>| match wire.listen()? {
        Heard::Ring => Ok(()),
        Heard::Nothing => Err(io::ErrorKind::WouldBlock.into()),
        Heard::End => Err(io::ErrorKind::UnexpectedEof.into()),
    };
    rings.read_with(listen).await
}

/// Returns the slots that this worker should serve besides its own.
fn adopted(page: SlotPage, scoreboard: Scoreboard) -> Vec<usize> {
    let is_ours = |slot: &usize| scoreboard.pages_of(*slot)[0].is_adopted_by(page.index());
    (0..scoreboard.slots()).filter(is_ours).collect()
}

/// Reports to the supervisor, if there is one, that this worker is shutting down and accepts no
/// more connections, so another worker should serve its listeners. Call it on the thread of the
/// worker that called [`fork_processes`](crate::process::fork_processes).
///
/// Returns whether this worker must accept the clients that wait in its queue, because all workers
/// end or there is no supervisor. The server then accepts them, and
/// [closes](crate::Listener::stop_listening) the listener.
///
/// # Examples
///
/// ```
/// assert!(squall_runtime::process::announce_drain(), "this process serves alone");
/// ```
#[must_use]
pub fn announce_drain() -> bool {
    let is_last = crate::process::task_id().is_none() || is_stopping();
    if let Some(page) = Scoreboard::own_page() {
        page.mark_draining(is_last);
    }
    tell();
    crate::process::unsupervised::notify_stopping();
    is_last
}

/// Returns whether the whole server ends, and not only this worker. A worker that ends then
/// [receives](crate::Sockets::adoptions) the listeners of workers that died during shutdown, and
/// accepts their waiting clients before it closes them.
///
/// # Examples
///
/// ```
/// assert!(!squall_runtime::process::is_stopping());
/// ```
#[must_use]
pub fn is_stopping() -> bool {
    Scoreboard::current().is_some_and(|scoreboard| scoreboard.is_stopping())
}

/// Asks the supervisor for a worker in place of this one, which is asked to end once the other one
/// is ready. Without a supervisor, nothing happens. Call it on the thread of the worker that called
/// [`fork_processes`](crate::process::fork_processes).
///
/// # Examples
///
/// ```
/// // Does nothing here: there is no supervisor.
/// squall_runtime::process::want_replacement();
/// ```
pub fn want_replacement() {
    ATTENDED.with_borrow(|attended| {
        if let Some((_, page)) = attended {
            page.want_replacement();
        }
    });
    tell();
}

/// Ends this process, a worker that cannot start, and logs the `cause` in one line. For a fault
/// that another worker would find as well, such as a database that is not there.
///
/// If the server's workers were not all *ready* yet, the server gives up at once: the supervisor
/// stops the other workers and exits with status 1. Later, the server continues with the workers
/// that it has. A `SIGHUP` ends with the first worker that cannot start. A worker that should
/// replace a dead one is tried again, with up to a minute in between.
///
/// Without a supervisor, the process exits with status 1.
///
/// # Examples
///
/// ```no_run
/// use std::fs;
///
/// use squall_runtime::process::{fork_processes, give_up_start};
///
/// let id = fork_processes(4)?;
/// let Ok(settings) = fs::read_to_string("/etc/shop.toml") else {
///     give_up_start("there is no /etc/shop.toml")
/// };
/// println!("worker {id} begins with {settings}");
/// # std::io::Result::Ok(())
/// ```
#[expect(clippy::exit, reason = "a worker that cannot start has nothing to finish")]
pub fn give_up_start(cause: impl fmt::Display) -> ! {
    match crate::process::task_id() {
        Some(id) => {
            let text = format_args!("worker {id} cannot start: {cause}");
            log::error(log::APPLICATION, text);
        }
        None => log::error(log::APPLICATION, format_args!("cannot start: {cause}")),
    }
    if let Some(page) = Scoreboard::own_page() {
        page.set_cannot_start();
    }
    std::process::exit(1)
}

/// Asks the supervisor to look at the page.
fn tell() {
    ATTENDED.with_borrow(|attended| {
        if let Some((wire, _)) = attended {
            wire.ring();
        }
    });
}
