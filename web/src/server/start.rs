//! Starting a server: forking its workers, building the application, and accepting.

use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use squall_runtime::process::{ForkOptions, give_up_start, task_id};
use squall_runtime::{Adoption, Adoptions, IOLoop, Listener, Sockets, log, sleep};

use super::accept::{self, Accepting, Newcomers, PAUSE};
use super::{HTTPServer, Service, shutdown};
use crate::error::panic::{guard, panic_error};
use crate::scoreboard::PAGE_WORDS;
use crate::scoreboard::reading::describe;

/// How much longer than the requests in progress a worker may take to end.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// How long a worker may take until it serves. It builds the application and connects to databases.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of processes of a server and their supervision, for [`HTTPServer::start`].
///
/// - A number is the number of workers: 0 for one worker for each core that this process may use, 1
///   for this process itself, without a fork.
/// - [`ForkOptions`] always fork workers under a supervisor, even a single one. They also set hooks
///   for the begin and end of a worker, time-outs for workers that hang, titles, the pid file and
///   the user to run as.
///
/// The number of requests of a worker is a
/// [setting of the server](HTTPServer::max_requests_per_worker).
///
/// By default, a worker has 60 seconds to become ready. To end, it has 5 seconds more than the
/// [`drain_delay`](HTTPServer::drain_delay) and the
/// [`shutdown_timeout`](HTTPServer::shutdown_timeout) together.
///
/// # Examples
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
    /// Starts to serve the bound addresses, in the processes that [`StartOptions`] describe: `0`
    /// for one worker for each core that this process may use; `1` for this process itself, without
    /// a fork; [`ForkOptions`] for everything else.
    ///
    /// With workers, the process that calls `start` becomes the supervisor, and the code after
    /// `start` runs in each worker instead; [`task_id`] is the worker's number. The supervisor
    /// replaces a worker that dies or hangs, lets other workers serve its listeners until then,
    /// handles the signals that [`ForkOptions::fork_processes`] lists, and exits when all workers
    /// have ended.
    ///
    /// Without workers, there is no supervisor. A handler that never returns keeps the process from
    /// reacting to signals, so only `SIGKILL` or the watchdog of a service manager (`WatchdogSec=`)
    /// ends it. [`ForkOptions::workers(1)`](ForkOptions::workers) runs one worker under a
    /// supervisor, which logs the handler and replaces the worker.
    ///
    /// The workers serve once their [`IOLoop`] is started. Give up privileges with
    /// [`ForkOptions::user`]. If a worker does so itself, the kernel no longer ends the worker
    /// together with its supervisor.
    ///
    /// # Errors
    ///
    /// - If workers were asked for and this process cannot fork safely, because it has other
    ///   threads or an [`IOLoop`]. The error names them.
    /// - If nothing is bound, or nothing new since the last start.
    /// - If there are no workers and the application [cannot be built](Self::try_with).
    #[track_caller]
    pub fn start(&self, options: impl Into<StartOptions>) -> io::Result<()> {
        if self.shared.bound.borrow().is_empty() {
            let message = match self.shared.started.get() {
                true => "the server was started already, and nothing has been bound since",
                false => "nothing is bound: call `bind` before `start`",
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if let StartOptions(Some(options)) = options.into() {
            // The workers give up before the supervisor kills them, and log what they cut.
            let patience = self.shared.settings.borrow().end_limit();
            let patience = patience.saturating_add(STOP_MARGIN);
            let options = options.default_timeouts(START_TIMEOUT, patience);
            let options = options.page_words(PAGE_WORDS).exchanges(true);
            options.describe(describe).fork_processes()?;
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

    /// Returns the application of this process, and builds it if necessary. A worker that cannot
    /// build it ends here.
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
        let application = match self.shared.application.take() {
            None => Err("this was tried before".to_owned()),
            // The supervisor must learn the cause of a panic, too.
            Some(build) if task_id().is_some() => {
                guard(build).unwrap_or_else(|panic| Err(panic_error(panic.as_ref()).to_string()))
            }
            Some(build) => build(),
        };
        let application = application
            .and_then(|built| match built.check() {
                Ok(()) => Ok(built),
                Err(error) => Err(error.to_string()),
            })
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

/// Accepts from the listeners of other workers while they cannot.
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
                let text = format_args!("cannot accept for another worker: {error}");
                log::error(log::GENERAL, text);
                sleep(PAUSE).await;
            }
        }
    }
}
