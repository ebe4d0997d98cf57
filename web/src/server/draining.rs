//! What the program does when the graceful end begins.

use std::panic::Location;

use super::{HTTPServer, background};
use crate::connection::draining::DrainReason;
use crate::types::local_future::LocalBoxFuture;

/// A function of the program, and the line that gave it.
pub(super) struct Hook {
    call: Box<dyn FnOnce(DrainReason) -> LocalBoxFuture<'static, ()>>,
    place: &'static Location<'static>,
}

impl HTTPServer {
    /// Has `hook` called when the graceful end of the server begins, in each process that serves,
    /// with the [reason](DrainReason): for what belongs to no single request, such as a room of
    /// subscribers that are told to come back later, or a lease that is given up. Streams can hear
    /// of it by themselves, by [`Context::draining`](crate::Context::draining) and
    /// [`Upgraded::draining`](crate::Upgraded::draining).
    ///
    /// It is called after the [`drain_delay`](Self::drain_delay), during which the server serves as
    /// before. It runs beside the requests that are being finished, and is waited for as they are: what is
    /// left of it at the [`shutdown_timeout`](Self::shutdown_timeout) is cancelled, and named in the
    /// log by the line that called this. There may be several, and they run at the same time. One
    /// that is given in a worker, after [`start`](Self::start), is that worker's.
    ///
    /// ```no_run
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// use squall::{Application, HTTPServer, IOLoop};
    ///
    /// /// What is to be said to whom.
    /// type Room = Rc<RefCell<Vec<String>>>;
    ///
    /// fn main() -> std::io::Result<()> {
    ///     let room = Room::default();
    ///     let server = HTTPServer::new(Application::new([])); // Its handlers share the room.
    ///     server.on_drain(async move |reason| {
    ///         room.borrow_mut().push(format!("come back later: {reason:?}"));
    ///     });
    ///     server.bind(8000)?.start(0)?;
    ///     IOLoop::current().start()
    /// }
    /// ```
    #[track_caller]
    pub fn on_drain(&self, hook: impl AsyncFnOnce(DrainReason) + 'static) -> &Self {
        let call = |reason| -> LocalBoxFuture<'static, ()> { Box::pin(hook_call(hook, reason)) };
        let hook = Hook { call: Box::new(call), place: Location::caller() };
        match self.shared.service.get().and_then(|service| service.worker.drains()) {
            Some(reason) => hook.call(reason),
            None => self.shared.on_drain.borrow_mut().push(hook),
        }
        self
    }

    pub(super) fn call_drain_hooks(&self, reason: DrainReason) {
        let hooks = self.shared.on_drain.take();
        hooks.into_iter().for_each(|hook| hook.call(reason));
    }
}

/// An async closure may borrow from itself what its future needs.
async fn hook_call(hook: impl AsyncFnOnce(DrainReason) + 'static, reason: DrainReason) {
    hook(reason).await;
}

impl Hook {
    /// It is called by a task of its own, which may panic.
    fn call(self, reason: DrainReason) {
        background::spawn_from(self.place, async move { (self.call)(reason).await });
    }
}
