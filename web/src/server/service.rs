//! An application as one process serves it.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use squall_runtime::{log, panic_location};

use crate::application::Application;
use crate::connection::Connection;
use crate::connection::server_state::ServerState;
use crate::connection::settings::Settings;
use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::context::policy::{Policies, Policy};
use crate::error::HTTPError;
use crate::error::panic::{guard, panic_error};
use crate::handler::drive::drive;
use crate::handler::future_slot::{Answered, RunningHandler, in_slot};
use crate::http1::head::HeadError;
use crate::observe::control;
use crate::scoreboard::recorder::Recorder;
use crate::types::drop_each::DropEach;
use crate::types::pool::Pool;

/// An application as it is served by one process.
pub(crate) struct Service {
    pub(crate) application: Application,
    pub(crate) server: Rc<ServerState>,
    pub(super) exchanges: Pool<Exchange>,
    pub(super) policies: Rc<Policies>,
    /// No endpoint has middleware or a time limit.
    pub(super) is_direct: bool,
    /// The line that started the server, for the log.
    pub(super) started_at: &'static Location<'static>,
    /// Starts the middleware and the endpoint, within the time limit of the handler.
    pub(super) answer_through: Box<dyn Fn(Rc<Self>, Context) -> RunningHandler>,
    /// The process serves the application until it ends.
    is_last: Cell<bool>,
}

impl Service {
    pub(crate) fn new(
        application: Application,
        settings: Settings,
        started_at: &'static Location<'static>,
    ) -> Self {
        let recorder = Recorder::new(application.rows().len());
        Self::counted(application, settings, recorder, started_at)
    }

    /// Creates the control view of a server. Its requests are not counted.
    #[track_caller]
    pub(super) fn control() -> Self {
        let application = control::application();
        let recorder = Recorder::private(application.rows().len());
        Self::counted(application, Settings::default(), recorder, Location::caller())
    }

    fn counted(
        application: Application,
        settings: Settings,
        recorder: Recorder,
        started_at: &'static Location<'static>,
    ) -> Self {
        let rows = application.rows().iter().map(|route| {
            let pattern = route.pattern.as_ref().ok().cloned();
            Policy::new(pattern, Some(route.location), &route.options, &settings)
        });
        let names = Rc::clone(application.names());
        let (errors, headers) = (application.take_error_hooks(), application.default_headers());
        let policies = Rc::new(Policies::new(rows, &settings, errors, headers, names));
        let is_direct = !application.has_middleware() && !policies.limit_handlers();
        let state = Rc::clone(application.shared_state());
        let server = Rc::new(ServerState::new(settings, recorder, state));
        let answer_through = Box::new(in_slot(answer_through));
        Self {
            application,
            server,
            exchanges: Pool::new(),
            policies,
            is_direct,
            started_at,
            answer_through,
            is_last: Cell::new(false),
        }
    }

    /// Notes that the process serves the application until it ends.
    ///
    /// Panics of destructors are then logged. Thread-local variables are dropped after `main`, and
    /// a panic that leaves one of them aborts the process.
    pub(super) fn serve_to_the_end(&self) {
        self.is_last.set(true);
    }

    pub(super) fn is_served_to_the_end(&self) -> bool {
        self.is_last.get()
    }
}

/// Answers bytes that are no request. The connection ends after the response.
impl Service {
    /// Answers a malformed head.
    #[cold]
    pub(super) fn refuse_malformed(&self, connection: &Rc<Connection>, error: &HeadError) {
        let response = HTTPError::new(error.status()).with_log_message(error.to_string());
        self.refuse(connection, response);
    }

    /// Answers a client that takes too long to send a head.
    pub(super) fn refuse_slow(&self, connection: &Rc<Connection>) {
        let reason = "the head was not complete in time";
        self.refuse(connection, HTTPError::REQUEST_TIMEOUT.with_log_message(reason));
    }

    pub(super) fn refuse(&self, connection: &Rc<Connection>, error: HTTPError) {
        connection.end_request();
        connection.set_linger();
        self.server.recorder.page.refused();
        let mut cx = self.lease(connection);
        cx.respond_to_malformed(error);
        self.release(cx);
    }
}

/// Runs the middleware and the endpoint, within the time limit of the handler.
async fn answer_through(service: Rc<Service>, mut cx: Context) -> Answered {
    let (connection, in_flight) = (cx.connection(), cx.in_flight());
    let outcome = drive(connection, in_flight, service.application.call(&mut cx)).await;
    Answered { cx, outcome }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.is_last.get() {
            contain("the application", || {
                let mut each = DropEach::default();
                each.run(|| self.application.clear());
                self.policies.clear(&mut each);
                each.finish();
            });
        }
    }
}

/// Drops a value of the user at the end of the process. Logs a panic of its destructor.
pub(super) fn contain(what: &str, drop: impl FnOnce()) {
    if let Err(panic) = guard(drop) {
        let error = panic_error(&*panic);
        let place =
            panic_location(&*panic).map_or_else(String::new, |place| format!(", at {place}"));
        log::error(log::APPLICATION, format_args!("dropping {what}: {error}{place}"));
        // Not dropped, because its destructor may panic as well.
        std::mem::forget(panic);
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("application", &self.application).finish_non_exhaustive()
    }
}
