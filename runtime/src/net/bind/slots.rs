//! One listener for each worker.
//!
//! The processes of a server are numbered, and each number is a *slot*. Before the fork, each TCP
//! address gets one `SO_REUSEPORT` socket per slot. The supervisor keeps all of them open while it
//! lives. Each worker inherits all of them and serves its own slot. So the kernel spreads
//! connections evenly, and if a worker dies, the connections in its queue wait for its replacement.
//!
//! Slot 0 is bound without the option first, because the option would let a second server join the
//! port unnoticed. It gets the option just before the others are bound. A slot begins to listen
//! when its worker asks for its listeners, because the kernel sends connections to every listener
//! of the port, served or not.
//!
//! Unix sockets have no such option, so all workers share one socket. They share TCP sockets, too,
//! on systems other than Linux, where `SO_REUSEPORT` does not spread connections.

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
    /// All bound sockets, for the fork. The references are weak, so that the program can close a
    /// socket.
    static REGISTERED: RefCell<Vec<Weak<[Bound]>>> = const { RefCell::new(Vec::new()) };

    /// The slot of this process.
    static SLOT: Cell<usize> = const { Cell::new(0) };

    /// In a worker, the sockets of all slots. They stay open.
    static INHERITED: RefCell<Option<Slots>> = const { RefCell::new(None) };

    /// Woken when the program takes or drops something that it has bound.
    static AWAITS_TAKEN: Cell<Option<Waker>> = const { Cell::new(None) };
}

/// Bound sockets, as [`bind_sockets`](crate::bind_sockets) returns them.
///
/// Bind before [`fork_processes`](crate::process::fork_processes), which gives each worker its own
/// listener for every address. Call [`into_listeners`](Self::into_listeners) after the fork, in the
/// worker. A worker that does not call it gets no connections. Worker 0 is an exception, because
/// its socket listens from the start: if only one worker serves an address, it must be worker 0.
///
/// Without a fork, dropping this stops listening.
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

    /// Returns the IP addresses, IPv4 first. If port 0 was asked for, they have the port that the
    /// kernel chose. Empty for a Unix socket.
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

    /// Returns the listeners of this process: in a worker, one per address for its slot. Without a
    /// fork, there is one per address. If this process takes over from a server with workers, it
    /// gets the listeners of all of them.
    ///
    /// # Errors
    ///
    /// Fails if the process has no file descriptor left, or if the kernel refuses to listen.
    ///
    /// # Examples
    ///
    /// See [`Sockets`].
    #[track_caller]
    pub fn into_listeners(self) -> io::Result<Vec<Listener>> {
        // Made here, so that it has the line of the caller.
        crate::io_loop::settle();
        if INHERITED.with_borrow(Option::is_some) {
            return self.0.iter().map(|bound| bound.listener(SLOT.get())).collect();
        }
        // Without workers, this process serves all slots.
        self.0.iter().flat_map(Bound::listeners).collect()
    }
}

impl Sockets {
    /// Returns the listeners of other workers that this worker shall serve for a while or for good.
    /// These are slots whose worker has died and has no replacement yet, whose worker is stuck, or
    /// that have no worker any more. Call it before [`into_listeners`](Self::into_listeners).
    ///
    /// A worker may leave this out. Clients of a missing worker then wait for its replacement.
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
        // The cell is gone with the thread.
        let waiting = AWAITS_TAKEN.try_with(Cell::take);
        if let Ok(Some(waiting)) = waiting {
            waiting.wake();
        }
    }
}

/// Waits until the program has taken or dropped everything that was bound before the fork.
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

/// The sockets of all slots. The supervisor owns them, and each worker inherits them.
pub(crate) struct Slots(Vec<Rc<[Bound]>>);

impl Slots {
    /// Makes one socket per slot for every bound address. Existing sockets stay, so this can be
    /// called again with a higher number.
    ///
    /// # Errors
    ///
    /// Fails if the process has no descriptors left or may no longer bind the port. The error names
    /// the address.
    pub(crate) fn open(count: usize) -> io::Result<Self> {
        let sockets: Vec<_> = REGISTERED
            .with_borrow(|registered| registered.iter().filter_map(Weak::upgrade).collect());
        let slots = Self(sockets);
        for bound in slots.all() {
            bound.open(count)?;
        }
        Ok(slots)
    }

    /// Assigns a slot to this process, a worker.
    pub(crate) fn enter(self, slot: usize) {
        SLOT.set(slot);
        INHERITED.set(Some(self));
    }

    /// Stops connections to `slot`, whose worker is gone for good. Clients in its queue are lost.
    /// Otherwise all later clients would wait for ever.
    pub(crate) fn retire(&self, slot: usize) {
        for bound in self.all() {
            bound.retire(slot);
        }
    }

    /// Returns the number of slots with sockets. It can exceed the number asked for if sockets were
    /// handed over.
    pub(crate) fn count(&self) -> usize {
        self.all().map(Bound::count).max().unwrap_or(0)
    }

    /// Returns whether clients may be waiting in a queue of this slot.
    pub(crate) fn listens(&self, slot: usize) -> bool {
        self.all().any(|bound| bound.listens(slot))
    }

    /// Returns whether clients wait in a queue of this slot that ends with this server. A queue
    /// that all slots share counts only if `shared_counts`.
    pub(crate) fn holds_clients(&self, slot: usize, shared_counts: bool) -> bool {
        self.all().any(|bound| bound.holds_clients(slot, shared_counts))
    }

    /// Returns the descriptors of each address by slot, to hand them over to another program.
    pub(crate) fn to_hand_over(&self) -> Vec<(Vec<RawFd>, Traits, String)> {
        self.all().map(Bound::to_hand_over).collect()
    }

    /// Sets whether programs that are started from now on inherit the sockets.
    pub(crate) fn set_inheritable(&self, inheritable: bool) -> io::Result<()> {
        self.all().try_for_each(|bound| bound.set_inheritable(inheritable))
    }

    fn all(&self) -> impl Iterator<Item = &Bound> {
        self.0.iter().flat_map(|sockets| sockets.iter())
    }
}
