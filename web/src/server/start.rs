//! Starting a server: forking its workers, building the application, and accepting.

use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use squall_runtime::process::{ForkOptions, give_up_start, task_id};
use squall_runtime::{Adoption, Adoptions, IOLoop, Listener, Sockets, log, sleep};

use super::accept::{self, Accepting, Newcomers, PAUSE};
use super::{HTTPServer, Service, shutdown};
use crate::scoreboard::PAGE_WORDS;
use crate::scoreboard::reading::describe;

/// How much longer than the requests in flight a worker may take to end.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// How long a worker may take until it serves: to build the application, to connect to databases.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// In how many processes a server runs, and how they are supervised: for [`HTTPServer::start`].
///
/// A number is as many workers: 0 for one worker per core that this process may use, 1 for this
/// process itself, without a fork. [`ForkOptions`] are workers under a supervisor in any case, be
/// it only one; they also hold what is to be done when a worker begins or ends, time-outs for those
/// that hang, titles, the pid file and whose rights to take. How many requests a worker serves is a
/// [setting of the server](HTTPServer::max_requests_per_worker).
///
/// Where the options leave a time-out open, workers have 60 seconds to be ready, and 5 seconds
/// more than the [`drain_delay`](HTTPServer::drain_delay) and the
/// [`shutdown_timeout`](HTTPServer::shutdown_timeout) together to end.
///
/// ```no_run
/// use squall::process::ForkOptions;
/// use squall::{Application, HTTPServer};
///
/// let server = HTTPServer::new(Application::new([]));
/// let workers = ForkOptions::new().workers(4).max_workers(8).max_memory(1 << 30);
/// server.bind(8000)?.start(workers)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StartOptions(Option<ForkOptions>);

impl From<usize> for StartOptions {
    fn from(workers: usize) -> Self {
        Self((workers != 1).then(|| ForkOptions::new().workers(workers)))
    }
}

impl From<ForkOptions> for StartOptions {
    fn from(options: ForkOptions) -> Self {
        Self(Some(options))
    }
}

impl HTTPServer {
    /// Begins to serve what was bound, in as many processes as [`StartOptions`] say: `0` for one
    /// worker per core that this process may use; `1` for this process itself, without a fork;
    /// [`ForkOptions`] for everything else.
    ///
    /// With workers, what follows `start` in the program runs in each of them, with
    /// [`task_id`] telling which, and not in the process that called it: that one supervises. It
    /// replaces a worker that dies or stands still, has others serve its listeners meanwhile,
    /// heeds the signals that [`ForkOptions::fork_processes`] lists, and exits when all workers
    /// have ended.
    ///
    /// Without workers, nobody watches: a handler that never returns keeps the process from hearing
    /// of any signal, so that only `SIGKILL` ends it, or the watchdog of a service manager
    /// (`WatchdogSec=`). [`ForkOptions::workers(1)`](ForkOptions::workers) is one worker under a
    /// supervisor, which names the handler in the log and replaces the worker.
    ///
    /// The workers serve once their [`IOLoop`] is started. Rights are given up by
    /// [`ForkOptions::user`]: doing it in a worker takes from the system the order to end the
    /// worker with its supervisor.
    ///
    /// # Errors
    ///
    /// If workers were asked for and this process cannot fork safely: it has other threads or
    /// an [`IOLoop`], which the error names. If nothing is bound, or nothing since it was started.
    /// If there are no workers and the application [cannot be built](Self::try_with).
    #[track_caller]
    pub fn start(&self, options: impl Into<StartOptions>) -> io::Result<()> {
        if self.shared.bound.borrow().is_empty() {
            let message = match self.shared.started.get() {
                true => "the server was started already, and nothing was bound since",
                false => "there is nothing to serve: `bind` an address before `start`",
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if let StartOptions(Some(options)) = options.into() {
            // The workers give up first: they can say what they cut.
            let patience = self.shared.settings.borrow().end_limit();
            let patience = patience.saturating_add(STOP_MARGIN);
            let options = options.default_timeouts(START_TIMEOUT, patience);
            options.page_words(PAGE_WORDS).describe(describe).fork_processes()?;
        }
        self.shared.started.set(true);
        let bound = self.shared.bound.take();
        for sockets in bound {
            self.serve(sockets)?;
        }
        Ok(())
    }

    #[track_caller]
    pub(super) fn serve(&self, sockets: Sockets) -> io::Result<()> {
        let service = self.service()?;
        self.serve_control()?;
        let adoptions = sockets.adoptions();
        for listener in sockets.into_listeners()? {
            self.accept_from(&service, listener, None);
        }
        if task_id().is_some() {
            let adopting = adopt(self.clone(), service, adoptions);
            self.shared.adopting.borrow_mut().push(IOLoop::current().spawn(adopting));
        }
        Ok(())
    }

    /// Returns the application of this process, and builds it if necessary. A worker that cannot build
    /// it ends here.
    #[track_caller]
    fn service(&self) -> io::Result<Rc<Service>> {
        let handle_signals = self.shared.settings.borrow().handle_signals;
        if let Some(service) = self.shared.service.get() {
            return Ok(Rc::clone(service));
        }
        ForkOptions::new().page_words(PAGE_WORDS).stay()?;
        // A worker that is ordered to end before it serves has nothing to finish, and ends at once.
        if handle_signals && task_id().is_none() {
            shutdown::watch_signals()?;
        }
        let service = match self.service_without_signals() {
            Ok(service) => service,
            Err(error) if task_id().is_some() => give_up_start(error),
            Err(error) => return Err(error),
        };
        service.serve_to_the_end();
        if handle_signals {
            shutdown::watch_signals()?;
            shutdown::add(self.clone(), Rc::clone(&service.server));
        }
        Ok(service)
    }

    /// Like [`service`](Self::service), but no signal ends the server, and the process continues if
    /// the application cannot be built.
    #[track_caller]
    pub(crate) fn service_without_signals(&self) -> io::Result<Rc<Service>> {
        if let Some(service) = self.shared.service.get() {
            return Ok(Rc::clone(service));
        }
        if let Some(threshold) = self.shared.settings.borrow().slow_callback {
            IOLoop::current().slow_callback(threshold);
        }
        let build = self.shared.application.take();
        let application =
            build.map_or_else(|| Err("this was tried before".to_owned()), |build| build());
        let application = application
            .map_err(|cause| io::Error::other(format!("cannot build the application: {cause}")))?;
        let settings = self.shared.settings.borrow().clone();
        let service = Service::new(application, settings, Location::caller());
        Ok(Rc::clone(self.shared.service.get_or_init(|| Rc::new(service))))
    }

    fn accept_from(&self, service: &Rc<Service>, listener: Listener, slot: Option<usize>) {
        let listener = Rc::new(listener);
        let accepting = accept::accept(self.clone(), Rc::clone(service), Rc::clone(&listener));
        let task = IOLoop::current().spawn(accepting);
        self.shared.accepting.borrow_mut().push(Accepting {
            listener,
            task,
            slot,
            newcomers: Newcomers::Welcome,
        });
        if let Some(waiting) = self.shared.awaits_adoption.take() {
            waiting.wake();
        }
    }
}

/// Serves the listeners of other workers for as long as those cannot.
async fn adopt(server: HTTPServer, service: Rc<Service>, mut adoptions: Adoptions) {
    loop {
        match adoptions.next().await {
            Ok(Adoption::Begin { slot, listeners }) => {
                for listener in listeners {
                    server.accept_from(&service, listener, Some(slot));
                }
            }
            Ok(Adoption::End { slot }) => {
                let is_over = |accepting: &mut Accepting| accepting.slot == Some(slot);
                let over: Vec<_> =
                    server.shared.accepting.borrow_mut().extract_if(.., is_over).collect();
                drop(over);
            }
            Err(error) => {
                let text = format_args!("cannot serve in place of another worker: {error}");
                log::error(log::GENERAL, text);
                sleep(PAUSE).await;
            }
        }
    }
}
