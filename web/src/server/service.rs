use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use squall_runtime::{IOLoop, log, panic_location};

use crate::application::Application;
use crate::connection::Connection;
use crate::connection::settings::Settings;
use crate::connection::stream::Stream;
use crate::connection::worker::Worker;
use crate::context::Context;
use crate::context::exchange::Exchange;
use crate::context::finish::Conclusion;
use crate::context::policy::{Policies, Policy};
use crate::context::upgrade::Upgrade;
use crate::error::panic::{guard, panic_error};
use crate::handler::drive::drive;
use crate::handler::endpoint::Started;
use crate::handler::future_slot::{Answered, RunningHandler, in_slot};
use crate::observe::control;
use crate::scoreboard::recorder::Recorder;
use crate::server::serve::{Serving, serve};
use crate::types::pool::Pool;

/// An application as it is served by one process.
pub(crate) struct Service {
    pub(crate) application: Application,
    pub(crate) worker: Rc<Worker>,
    exchanges: Pool<Exchange>,
    policies: Rc<Policies>,
    /// Neither middleware nor a time limit stands before any endpoint.
    is_direct: bool,
    /// The line that has started the server, for the log.
    started_at: &'static Location<'static>,
    /// Answers where more than an endpoint is to be asked.
    answer_through: Box<dyn Fn(Rc<Self>, Context) -> RunningHandler>,
    /// It ends with the process, where no code of the user can catch a panic.
    is_last: Cell<bool>,
}

impl Service {
    pub(crate) fn new(
        application: Application,
        settings: Settings,
        started_at: &'static Location<'static>,
    ) -> Self {
        let recorder = Recorder::new(application.routes().len());
        Self::counted(application, settings, recorder, started_at)
    }

    /// The control view of a server, which does not count among its requests.
    #[track_caller]
    pub(super) fn control() -> Self {
        let application = control::application();
        let recorder = Recorder::private(application.routes().len());
        Self::counted(application, Settings::default(), recorder, Location::caller())
    }

    fn counted(
        application: Application,
        settings: Settings,
        recorder: Recorder,
        started_at: &'static Location<'static>,
    ) -> Self {
        let rows = application.routes().iter().map(|route| {
            let pattern = route.pattern.as_ref().ok().cloned();
            Policy::new(pattern, Some(route.location), &route.options, &settings)
        });
        let policies = Rc::new(Policies::new(rows, &settings));
        let is_direct = !application.has_middleware() && !policies.limit_handlers();
        let worker = Rc::new(Worker::new(settings, recorder));
        let answer_through = Box::new(in_slot(answer_through));
        Self {
            application,
            worker,
            exchanges: Pool::new(),
            policies,
            is_direct,
            started_at,
            answer_through,
            is_last: Cell::new(false),
        }
    }

    /// The process serves the application until it ends.
    ///
    /// A destructor of the user that panics then is logged. The thread-local variables of the thread
    /// are dropped after `main`, and a panic that leaves one of them aborts the process.
    pub(super) fn serve_to_the_end(&self) {
        self.is_last.set(true);
    }

    pub(super) fn is_served_to_the_end(&self) -> bool {
        self.is_last.get()
    }

    /// Serves a connection, as a task of its own.
    pub(crate) fn open(self: &Rc<Self>, stream: Stream) {
        let serving = self.connection(stream);
        IOLoop::current().spawn_from(self.started_at, serving).detach();
    }

    /// Takes a connection. It is served by awaiting what this returns.
    pub(crate) fn connection(self: &Rc<Self>, stream: Stream) -> impl Future<Output = ()> + use<> {
        let connection = Connection::new(&self.worker, stream);
        serve(Rc::clone(self), Serving(connection))
    }

    /// Takes a context from the pool, for a request whose head has not been read.
    pub(super) fn lease(&self, connection: &Rc<Connection>) -> Context {
        Context::new(connection, self.exchanges.take(|| Exchange::new(Rc::clone(&self.policies))))
    }

    pub(super) fn release(&self, cx: Context) {
        self.exchanges.give(cx.into_exchange());
    }
}

/// Asks middleware as well, and keeps to the time limit of the handler.
async fn answer_through(service: Rc<Service>, mut cx: Context) -> Answered {
    let (connection, in_flight) = (cx.connection(), cx.in_flight());
    let outcome = drive(connection, in_flight, service.application.call(&mut cx)).await;
    Answered { cx, outcome }
}

/// What becomes of a request, step by step. The scoreboard hears of each.
impl Service {
    /// Finds what answers it.
    #[inline(always)]
    pub(super) fn begin(&self, cx: &mut Context) {
        if !self.application.find_fast(cx)
            && let Err(panic) = guard(|| self.application.find(cx))
        {
            cx.refuse_panic(&*panic);
        }
        let route = cx.row();
        let pattern = || route.map_or("", |row| &self.application.routes()[row].text);
        let in_flight = self.worker.recorder.begin(cx.began(), route, cx.method(), pattern);
        cx.set_in_flight(in_flight);
    }

    /// Has it answered.
    #[inline(always)]
    pub(super) fn answer(self: &Rc<Self>, cx: Context) -> RunningHandler {
        // Cloning the handler is the user's code, and may block as well.
        self.worker.recorder.run(cx.in_flight());
        let started =
            if self.is_direct { self.application.start(cx) } else { Started::CallInstead(cx) };
        match started {
            Started::Running(handler) => handler,
            Started::CallInstead(cx) => (self.answer_through)(Rc::clone(self), cx),
        }
    }

    /// Queues the answer. It is over then.
    #[inline(always)]
    pub(super) fn conclude(&self, Answered { mut cx, outcome }: Answered) -> Conclusion {
        // Errors are printed, and what was kept with the request is dropped: by code of the user.
        let conclusion = guard(|| cx.conclude(outcome)).unwrap_or(Conclusion::Abort);
        self.worker.count_request();
        self.worker.recorder.end(cx.in_flight(), cx.began(), cx.ending());
        if let Conclusion::Upgrade(Upgrade::WebSocket(serve)) = conclusion {
            return Conclusion::WebSocket(serve, cx);
        }
        let _ = guard(|| self.release(cx));
        conclusion
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.is_last.get() {
            contain("the application", || self.application.clear());
        }
    }
}

/// Drops something of the user when the process ends.
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
