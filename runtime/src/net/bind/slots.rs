//! One listener for each worker.
//!
//! The processes of a server are numbered, and each number is a *slot*. Before the fork every
//! TCP address gets one `SO_REUSEPORT` socket per slot. The supervisor keeps all of them open
//! for as long as it lives; each worker inherits all and serves the one of its slot. So the
//! system spreads connections evenly, and what waits in the queue of a worker that dies waits
//! for its replacement.
//!
//! Slot 0 is bound without the option, which would let a second server join the port unnoticed,
//! and gets it just before the others are bound. The others begin to listen when their worker
//! asks for its listeners, for the system sends connections to each listener of the port,
//! served or not.
//!
//! Unix sockets have no such option: all workers share the one socket. The same goes for
//! systems other than Linux, where `SO_REUSEPORT` does not spread connections.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use super::Adoptions;
use super::bound::Bound;
use super::handed::Traits;
use super::listener::Listener;

thread_local! {
    /// What is bound, for the fork to find. It does not keep sockets open that the program has
    /// dropped.
    static REGISTERED: RefCell<Vec<Weak<[Bound]>>> = const { RefCell::new(Vec::new()) };

    /// The slot of this process.
    static SLOT: Cell<usize> = const { Cell::new(0) };

    /// In a worker, every listener of every slot: they stay open.
    static INHERITED: RefCell<Option<Slots>> = const { RefCell::new(None) };

    /// Who waits until the program has done something with all that it has bound.
    static AWAITS_TAKEN: Cell<Option<Waker>> = const { Cell::new(None) };
}

/// Bound sockets: what [`bind_sockets`](crate::bind_sockets) returns.
///
/// Bind them before [`fork_processes`](crate::process::fork_processes), which gives each worker
/// a listener of its own for every address, and call [`into_listeners`](Self::into_listeners)
/// after it, in the worker. A worker that does not ask for them gets no connections, except
/// worker 0, whose listener was there first: an address that one worker alone serves should be
/// served by that one.
///
/// Without a fork, dropping them stops listening.
///
/// # Examples
///
/// ```
/// use squall_runtime::{IOLoop, Listener, TcpStream, bind_sockets};
///
/// let sockets = bind_sockets("127.0.0.1:0")?;
/// let address = sockets.local_addrs()[0];
/// // Here, a server of several processes forks.
/// IOLoop::current().run_sync(async {
///     for listener in sockets.into_listeners()? {
///         match listener {
///             Listener::Tcp(listener) => {
///                 let client = TcpStream::connect(address).await?;
///                 let (_, peer) = listener.accept().await?;
///                 assert_eq!(client.local_addr()?, peer);
///             }
///             Listener::Unix(_) => unreachable!("an IP address was bound"),
///         }
///     }
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
pub struct Sockets(pub(super) Rc<[Bound]>);

impl Sockets {
    pub(super) fn register(bound: Vec<Bound>) -> Self {
        let bound: Rc<[Bound]> = bound.into();
        REGISTERED.with_borrow_mut(|registered| {
            registered.retain(|earlier| earlier.strong_count() > 0);
            registered.push(Rc::downgrade(&bound));
        });
        Self(bound)
    }

    /// The IP addresses that are listened on, IPv4 first, with the port the system chose where
    /// 0 was asked for. Empty for a Unix socket.
    ///
    /// # Examples
    ///
    /// ```
    /// let sockets = squall_runtime::bind_sockets("127.0.0.1:0")?;
    /// println!("listening on http://{}", sockets.local_addrs()[0]);
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(Bound::address).collect()
    }

    /// The listeners of this process, one for each address: those of this worker's slot after a
    /// fork, or the only ones there are without. A process without workers that takes the place
    /// of a server with some has all of theirs.
    ///
    /// # Errors
    ///
    /// Fails if the process has no file descriptor left, or if the system refuses to listen.
    ///
    /// # Examples
    ///
    /// See [`Sockets`].
    #[track_caller]
    pub fn into_listeners(self) -> io::Result<Vec<Listener>> {
        // Made here, so that it names the line of the caller.
        crate::io_loop::settle();
        if INHERITED.with_borrow(Option::is_some) {
            return self.0.iter().map(|bound| bound.listener(SLOT.get())).collect();
        }
        // Without workers this process serves all there is.
        self.0.iter().flat_map(Bound::listeners).collect()
    }
}

impl Sockets {
    /// The listeners of other workers that this one is to serve for a while, or for good: where
    /// a worker has died and its replacement is not there yet, where it stands still, and where
    /// there are fewer workers than before. To be asked for before
    /// [`into_listeners`](Self::into_listeners).
    ///
    /// In a worker that does not ask, nothing is missed but that: what connects to a worker that
    /// is gone waits for the next one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::fork_processes;
    /// use squall_runtime::{Adoption, IOLoop, Listener, bind_sockets};
    ///
    /// async fn serve(listener: Listener) {
    ///     // Accepts connections until it is dropped.
    /// #   drop(listener);
    /// }
    ///
    /// let sockets = bind_sockets(8000)?;
    /// fork_processes(0)?;
    /// let mut adoptions = sockets.adoptions();
    /// for listener in sockets.into_listeners()? {
    ///     IOLoop::current().spawn_callback(serve(listener));
    /// }
    /// IOLoop::current().spawn_callback(async move {
    ///     let mut adopted = Vec::new();
    ///     while let Ok(change) = adoptions.next().await {
    ///         match change {
    ///             Adoption::Begin { slot, listeners } => {
    ///                 let serve = |listener| (slot, IOLoop::current().spawn(serve(listener)));
    ///                 adopted.extend(listeners.into_iter().map(serve));
    ///             }
    ///             Adoption::End { slot } => adopted.retain(|task| task.0 != slot),
    ///         }
    ///     }
    /// });
    /// IOLoop::current().start()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn adoptions(&self) -> Adoptions {
        Adoptions::new(Rc::downgrade(&self.0))
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // It is gone with the thread.
        let waiting = AWAITS_TAKEN.try_with(Cell::take);
        if let Ok(Some(waiting)) = waiting {
            waiting.wake();
        }
    }
}

/// Waits until the program has taken the listeners of everything that was bound before the
/// fork, or has dropped it.
pub(crate) fn sockets_taken() -> impl Future<Output = ()> {
    poll_fn(|cx| {
        let is_taken = |group: &Rc<[Bound]>| Rc::strong_count(group) == 1;
        let all = INHERITED
            .with_borrow(|slots| slots.as_ref().is_none_or(|slots| slots.0.iter().all(is_taken)));
        if all {
            return Poll::Ready(());
        }
        AWAITS_TAKEN.set(Some(cx.waker().clone()));
        Poll::Pending
    })
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter()).finish()
    }
}

/// The sockets of all slots. The supervisor has them, and hands them to each worker.
pub(crate) struct Slots(Vec<Rc<[Bound]>>);

impl Slots {
    /// Makes a socket per slot of everything that is bound. What was made before stays as it
    /// is, so that this may be called again with a higher number.
    ///
    /// # Errors
    ///
    /// Fails if the system does: for want of descriptors, or if the process may no longer bind
    /// the port. The error names the address.
    pub(crate) fn open(count: usize) -> io::Result<Self> {
        let sockets: Vec<_> = REGISTERED
            .with_borrow(|registered| registered.iter().filter_map(Weak::upgrade).collect());
        let slots = Self(sockets);
        for bound in slots.all() {
            bound.open(count)?;
        }
        Ok(slots)
    }

    /// Tells this process, a worker, which slot is its own.
    pub(crate) fn enter(self, slot: usize) {
        SLOT.set(slot);
        INHERITED.set(Some(self));
    }

    /// Sends no more connections to `slot`: its worker is gone and will not be replaced. Those
    /// that wait in its queue are lost, which is better than that all later ones wait for ever.
    pub(crate) fn retire(&self, slot: usize) {
        for bound in self.all() {
            bound.retire(slot);
        }
    }

    /// How many slots have sockets: it may be more than were asked for, if they were handed over.
    pub(crate) fn count(&self) -> usize {
        self.all().map(Bound::count).max().unwrap_or(0)
    }

    /// Whether clients may wait in a queue of this slot already.
    pub(crate) fn listens(&self, slot: usize) -> bool {
        self.all().any(|bound| bound.listens(slot))
    }

    /// Whether clients wait in a queue of this slot, which would be lost with this server; or in one
    /// that it shares, if that `counts`.
    pub(crate) fn holds_clients(&self, slot: usize, shared_counts: bool) -> bool {
        self.all().any(|bound| bound.holds_clients(slot, shared_counts))
    }

    /// What there is to hand over to another program: the descriptors of each address, by slot.
    pub(crate) fn to_hand_over(&self) -> Vec<(Vec<RawFd>, Traits, String)> {
        self.all().map(Bound::to_hand_over).collect()
    }

    /// Says whether a program that is started from now on has the sockets too.
    pub(crate) fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        self.all().try_for_each(|bound| bound.set_inheritable(inheritable))
    }

    fn all(&self) -> impl Iterator<Item = &Bound> {
        self.0.iter().flat_map(|sockets| sockets.iter())
    }
}
