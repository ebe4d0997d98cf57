//! One connection: its stream, its buffers, its limits and its time-outs.
//!
//! The task of a connection and the `Context` of its request share a [`Connection`]. It knows
//! nothing of routes or handlers: those are above it.
//!
//! # Layout
//!
//! - `connection`: the struct, what it waits for ([`Phase`]), its [`Flags`], and the memory that it
//!   leases for a request ([`Buffers`]).
//! - `stream`: TCP, Unix or in memory, and the client's address.
//! - `receive`: received bytes, and reading heads from them.
//! - `body`: the body of a request: `body/reading` waits for it, `body/buffered` collects it,
//!   `body/inflating` decompresses it, `body/memory` reuses the memory of large ones.
//! - `send`: queued bytes and files (`send/files`); `send/flush` sends while a handler waits.
//! - `timeouts`: the limits for receiving and for sending, and the minimum rate of a client.
//! - `close`: the end of a connection, and a client that disconnects while its handler waits.
//! - `upgrade`: handing the stream over to another protocol.
//! - `server_state`: what the connections of one server share in this process; `settings`: its
//!   settings; `draining`: tasks that wait for its graceful shutdown.

use std::cell::{Cell, RefCell};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Waker;

use crate::types::shield;

pub(crate) mod body;
pub(crate) mod close;
pub(crate) mod draining;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod server_state;
pub(crate) mod settings;
pub(crate) mod stream;
mod timeouts;
pub(crate) mod upgrade;

use body::RequestBody;
use close::Cancellation;
use receive::Input;
use send::Output;
use server_state::ServerState;
use stream::Stream;
use timeouts::{Pace, Timeouts};

/// Part of a head of at most this size is kept in a box of its own while the rest is awaited.
const STASH_LIMIT: usize = 1024;

/// The state of a connection, shared by its task and the `Context` of its request.
///
/// An idle connection consists of this struct and its task. It leases buffers from the first byte
/// of a request to the last byte of its response.
pub(crate) struct Connection {
    pub(crate) server: Rc<ServerState>,
    pub(crate) stream: Stream,
    held: RefCell<Held>,
    timeouts: Timeouts,
    phase: Cell<Phase>,
    flags: Cell<Flags>,
    /// The number of the current request. A `Body` that outlives its request does not read the next
    /// one's.
    request: Cell<u32>,
    /// Its index in the server's list of connections.
    key: Cell<u32>,
    /// Set while a cancelled handler is polled for the last time.
    cancellation: Cell<Option<Cancellation>>,
}

/// What a connection waits to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Nothing yet, or another protocol.
    New,
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// Nothing: the handler runs.
    Handler,
    /// The end of what the client sends.
    Closing,
}

/// A set of facts about a connection, one bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Flags(u8);

impl Flags {
    /// A handler waits in `flush`, and sends by itself.
    const FLUSHING: Self = Self(1);
    /// A handler waits for the body, and receives by itself.
    const RECEIVING: Self = Self(1 << 1);
    /// A client that closes its sending side does not cancel the handler.
    const HALF_CLOSE: Self = Self(1 << 2);
    /// The client may still be sending when the connection ends.
    const LINGER: Self = Self(1 << 3);
    /// The connection belongs to another protocol, which decides when it ends.
    const HANDED_OVER: Self = Self(1 << 4);
    /// The client did not take the response in time.
    const TOO_SLOW: Self = Self(1 << 5);
    /// The socket was checked once more after the time for a last request was over.
    const CHECKED_AGAIN: Self = Self(1 << 6);

    /// Whether any of `flags` is set.
    fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

impl Connection {
    pub(crate) fn new(server: &Rc<ServerState>, stream: Stream) -> Rc<Self> {
        let connection = Rc::new(Self {
            server: Rc::clone(server),
            stream,
            held: RefCell::default(),
            timeouts: Timeouts::default(),
            phase: Cell::new(Phase::New),
            flags: Cell::default(),
            request: Cell::new(0),
            key: Cell::new(u32::MAX),
            cancellation: Cell::new(None),
        });
        connection.key.set(server.add(&connection));
        connection
    }

    /// Calls `work` with the buffers, leasing them first if none are held.
    #[inline(always)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Buffers) -> R) -> R {
        work(self.held.borrow_mut().lease(&self.server))
    }

    /// Forgets the request. The bytes behind it stay.
    #[inline]
    pub(crate) fn end_request(&self) {
        self.request.set(self.request.get().wrapping_add(1));
        self.set(Flags::FLUSHING.with(Flags::RECEIVING), false);
        let waiter = self.held.borrow_mut().leased().and_then(|buffers| {
            if let Some(body) = buffers.body.take_collected() {
                self.server.body_memory.give(body);
            }
            buffers.end_request();
            buffers.body.take_waiter()
        });
        waiter.into_iter().for_each(Waker::wake);
    }

    /// Ends a connection that a kept `Body` still refers to.
    pub(crate) fn retire(&self) {
        if self.has(Flags::HANDED_OVER) {
            return;
        }
        self.end_request();
        // It fails if the client has disconnected before.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.leave_server();
    }

    fn leave_server(&self) {
        if let Held::Buffers(buffers) = self.held.take() {
            buffers.give_back(&self.server);
        }
        self.server.remove(self.key.replace(u32::MAX));
    }

    /// Forgets the request and its time-outs, for a protocol that is not HTTP.
    pub(crate) fn forget_http(&self) {
        self.end_request();
        self.enter(Phase::New);
        self.held.borrow_mut().release(&self.server);
    }

    /// Frees memory of a connection that may wait for long: for its handler, for more of a body, or
    /// for room to send.
    fn save_memory(&self) {
        if let Some(buffers) = self.held.borrow_mut().leased()
            && self.server.is_short_of_buffers()
        {
            buffers.output.release();
            buffers.input.shrink_to_head();
        }
    }

    /// Identifies the connection for futures that hold no reference to it.
    pub(crate) fn id(&self) -> shield::Id {
        std::ptr::from_ref(self).addr()
    }

    /// The number of the current request.
    pub(crate) fn request(&self) -> u32 {
        self.request.get()
    }

    /// Whether the current request is the last that the settings allow.
    pub(crate) fn is_at_last_request(&self) -> bool {
        let most = self.server.settings.max_requests;
        most.is_some_and(|most| self.request() >= most.saturating_sub(1))
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether any of `flags` is set.
    fn has(&self, flags: Flags) -> bool {
        self.flags.get().contains(flags)
    }

    fn set(&self, flags: Flags, to: bool) {
        let now = self.flags.get();
        self.flags.set(if to { now.with(flags) } else { now.without(flags) });
    }

    /// Says whether a handler waits for the body.
    pub(crate) fn set_receiving(&self, receiving: bool) {
        self.set(Flags::RECEIVING, receiving);
    }

    /// Says whether the handler goes on when the client closes its sending side.
    pub(crate) fn set_half_close(&self, half_close: bool) {
        self.set(Flags::HALF_CLOSE, half_close);
    }

    /// Notes that the client may still be sending.
    pub(crate) fn set_linger(&self) {
        self.set(Flags::LINGER, true);
    }

    pub(crate) fn set_handed_over(&self) {
        self.set(Flags::HANDED_OVER, true);
    }

    /// Whether the client did not take the response in time. The connection is then reset, because
    /// the kernel may still hold bytes for the client.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.has(Flags::TOO_SLOW)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.leave_server();
    }
}

/// The memory that a connection needs from the first byte of a request to the last byte of its
/// response.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) body: RequestBody,
    /// The rate at which the client takes its response.
    pub(crate) sending: Pace,
}

impl Buffers {
    /// Forgets the request that was served. The bytes behind it stay.
    fn end_request(&mut self) {
        self.input.end_request();
        self.body.clear();
    }

    /// Forgets everything, and returns to the server's pool for another connection.
    fn give_back(mut self: Box<Self>, server: &ServerState) {
        self.body.clear();
        self.input.reset();
        // A client that disconnected may not have taken all of it.
        if !self.output.is_empty() {
            self.output.clear();
        }
        self.sending = Pace::default();
        server.buffers.give(self);
    }
}

/// Memory held by a connection. The longer it may stay idle, the less it keeps.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    /// The beginning of a head, too small to hold buffers for. Boxed twice, so that the length
    /// takes no room in a connection without it.
    Stash(Box<Box<[u8]>>),
    Buffers(Box<Buffers>),
}

impl Held {
    /// Returns the buffers, taken from the server's pool if none are held.
    fn lease(&mut self, server: &ServerState) -> &mut Buffers {
        if !matches!(self, Self::Buffers(_)) {
            let mut buffers = server.buffers.take(Buffers::default);
            if let Self::Stash(bytes) = self {
                buffers.input.put_back(bytes);
            }
            *self = Self::Buffers(buffers);
        }
        match self {
            Self::Buffers(buffers) => buffers,
            Self::Nothing | Self::Stash(_) => unreachable!("leased above"),
        }
    }

    /// Returns the buffers, if any are held.
    fn leased(&mut self) -> Option<&mut Buffers> {
        match self {
            Self::Buffers(buffers) => Some(buffers),
            Self::Nothing | Self::Stash(_) => None,
        }
    }

    /// Returns the buffers to the server's pool, unless they hold too much to be stashed.
    fn release(&mut self, server: &ServerState) {
        let Self::Buffers(buffers) = self else { return };
        if !buffers.output.is_empty() {
            return;
        }
        let rest = match buffers.input.unread() {
            [] => Self::Nothing,
            unread if unread.len() <= STASH_LIMIT => Self::Stash(Box::new(unread.into())),
            _ => return,
        };
        if let Self::Buffers(buffers) = std::mem::replace(self, rest) {
            buffers.give_back(server);
        }
    }
}

#[cfg(test)]
mod tests;
