use std::fmt;
use std::rc::Rc;

use squall_runtime::IOLoop;

use crate::application::Application;
use crate::connection::Connection;
use crate::connection::stream::Stream;
use crate::connection::worker::Worker;
use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::pool::Pool;
use crate::server::serve::{Serving, serve};
use crate::settings::Settings;

/// An application as it is served by one process.
pub(crate) struct Service {
    pub(crate) application: Application,
    pub(crate) worker: Rc<Worker>,
    exchanges: Pool<Exchange>,
}

impl Service {
    pub(crate) fn new(application: Application, settings: Settings) -> Self {
        Self { application, worker: Rc::new(Worker::new(settings)), exchanges: Pool::new() }
    }

    /// Serves a connection, as a task of its own.
    pub(crate) fn open(self: &Rc<Self>, stream: Stream) {
        let connection = Connection::new(&self.worker, stream);
        IOLoop::current().spawn_callback(serve(Rc::clone(self), Serving(connection)));
    }

    /// Takes a context from the pool, for a request whose head has not been read.
    pub(super) fn lease(&self, connection: &Rc<Connection>) -> Context {
        Context::new(connection, self.exchanges.take(Exchange::new))
    }

    pub(super) fn release(&self, cx: Context) {
        self.exchanges.give(cx.into_exchange());
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("application", &self.application).finish_non_exhaustive()
    }
}
