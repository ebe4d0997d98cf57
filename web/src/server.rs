use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use squall_runtime::{BindAddress, BindOptions, IOLoop, Sockets, Task, bind_sockets};

use crate::application::Application;
use crate::connection::settings::Settings;

mod accept;
mod background;
mod control;
mod proxies;
mod proxy_header;
mod serve;
mod service;
mod settings;
mod shutdown;
mod start;

pub use background::spawn_background;
pub use proxies::ProxyList;
pub(crate) use service::Service;
pub(crate) use shutdown::end_gracefully;
pub use start::StartOptions;

/// Serves an [`Application`] over HTTP/1.1, in one process or in several.
///
/// A cheap handle: clones are the same server, and dropping one stops nothing.
///
/// ```no_run
/// use squall::{Application, HTTPServer, IOLoop, get, route};
///
/// async fn hello() -> &'static str {
///     "Hello, world"
/// }
///
/// fn main() -> std::io::Result<()> {
///     let app = Application::new([route("/", get(hello))]);
///     HTTPServer::new(app).bind(8000)?.start(0)?; // one process for each core
///     IOLoop::current().start()
/// }
/// ```
///
/// # Settings
///
/// Each has a method that takes and returns the server: they come first, for
/// [`bind`](Self::bind) returns a reference, and after [`start`](Self::start) they panic. A time-out
/// is a `Duration`, or `None` for none.
///
/// ```no_run
/// # use std::time::Duration;
/// # use squall::{Application, HTTPServer};
/// # let app = Application::new([]);
/// HTTPServer::new(app)
///     .max_body_size(1 << 20)
///     .max_header_size(16 << 10)
///     .idle_connection_timeout(Duration::from_secs(10))
///     .body_timeout(None)
///     .bind(8000)?
///     .start(1)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # The end
///
/// SIGTERM and SIGINT end a server gracefully, with workers or without: after the
/// [`drain_delay`](Self::drain_delay), which is none by default, it accepts no more connections, finishes the requests it has, lets each kept connection send one more, and
/// stops the loop, so that [`IOLoop::start`] returns. Tasks of
/// [`spawn_background`](crate::spawn_background) are waited for as requests are; those of
/// [`spawn_callback`](IOLoop::spawn_callback) are not. A handler whose response goes on for long
/// hears of the end by [`Context::draining`](crate::Context::draining), what serves an upgraded
/// connection by [`Upgraded::draining`](crate::Upgraded::draining), and what belongs to no request
/// by [`on_drain`](Self::on_drain). What is left at the
/// [`shutdown_timeout`](Self::shutdown_timeout) is cancelled, and named in the log.
///
/// SIGINT stays ignored if it was when the program began, as in a background job of a shell script.
/// In a process without a supervisor, a handler that never returns keeps it from hearing of either:
/// see [`start`](Self::start). What an operator has to know is in [one
/// place](crate::process#running-it).
#[derive(Clone)]
pub struct HTTPServer {
    shared: Rc<Shared>,
}

struct Shared {
    application: RefCell<Option<Build>>,
    settings: RefCell<Settings>,
    bound: RefCell<Vec<Sockets>>,
    started: Cell<bool>,
    /// Where the control view is served.
    control: RefCell<Vec<Sockets>>,
    addresses: RefCell<Vec<SocketAddr>>,
    /// Made in the process that serves.
    service: OnceCell<Rc<Service>>,
    accepting: RefCell<Vec<accept::Accepting>>,
    /// What is done when the graceful end begins.
    on_drain: RefCell<Vec<shutdown::Hook>>,
    /// Tasks that serve in place of other workers.
    adopting: RefCell<Vec<Task<()>>>,
    /// Who waits for more to accept from, while the server ends.
    awaits_adoption: Cell<Option<Waker>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // They are left if the loop was stopped without a graceful end.
        let is_served = |service: &Rc<Service>| service.is_served_to_the_end();
        if self.service.get().is_some_and(is_served) {
            for hook in self.on_drain.take() {
                service::contain("a hook of `on_drain`", || drop(hook));
            }
        }
    }
}

/// The error is what was printed of the builder's.
type Build = Box<dyn FnOnce() -> Result<Application, String>>;

impl HTTPServer {
    /// A server for `app`, not listening yet.
    ///
    /// With several workers, each has a copy of the application as it was at
    /// [`start`](Self::start).
    pub fn new(app: Application) -> Self {
        Self::with(|| app)
    }

    /// A server whose application is built in each worker, once, when the worker begins.
    ///
    /// For handlers that hold what may not be shared by processes: connections to databases,
    /// pools, subscriptions, random generators.
    ///
    /// ```no_run
    /// # use squall::{Application, HTTPServer, get, route};
    /// let server = HTTPServer::with(|| {
    ///     let pid = std::process::id();
    ///     Application::new([route("/", get(async move || pid.to_string()))])
    /// });
    /// server.bind(8000)?.start(4)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with(build: impl FnOnce() -> Application + 'static) -> Self {
        Self::built_by(Box::new(move || Ok(build())))
    }

    /// Like [`with`](Self::with), but for an application that may fail to build, such as one whose
    /// database cannot be opened.
    ///
    /// A worker whose builder fails logs one line with the error, and ends. What follows depends on
    /// when that is:
    ///
    /// | when | what follows |
    /// |---|---|
    /// | at the start of the server | the server gives up: it stops the other workers, and exits with status 1 |
    /// | after `SIGHUP` | the workers that are there go on, and none of the others is replaced |
    /// | a worker takes the place of one that has died | it is tried again, with longer and longer times in between, up to a minute while other workers serve |
    ///
    /// In a process without workers, [`start`](Self::start) returns the error.
    ///
    /// The error may be any that can be printed. With [`squall::Result`](crate::Result), `?` takes
    /// all standard errors, and the line has what caused them.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::fs;
    ///
    /// use squall::{Application, HTTPServer, IOLoop, Result, get, route};
    ///
    /// fn build() -> Result<Application> {
    ///     let greeting = fs::read_to_string("/etc/greeting")?;
    ///     Ok(Application::new([route("/", get(async move || greeting.clone()))]))
    /// }
    ///
    /// fn main() -> std::io::Result<()> {
    ///     HTTPServer::try_with(build).bind(8000)?.start(0)?;
    ///     IOLoop::current().start()
    /// }
    /// ```
    pub fn try_with<E: fmt::Display>(
        build: impl FnOnce() -> Result<Application, E> + 'static,
    ) -> Self {
        // The alternate form: `anyhow` then prints the chain of causes.
        Self::built_by(Box::new(move || build().map_err(|error| format!("{error:#}"))))
    }

    fn built_by(build: Build) -> Self {
        let shared = Shared {
            application: RefCell::new(Some(build)),
            settings: RefCell::default(),
            bound: RefCell::default(),
            started: Cell::new(false),
            control: RefCell::default(),
            addresses: RefCell::default(),
            service: OnceCell::new(),
            accepting: RefCell::default(),
            on_drain: RefCell::default(),
            adopting: RefCell::default(),
            awaits_adoption: Cell::default(),
        };
        Self { shared: Rc::new(shared) }
    }

    /// Listens on `address`: a port of every interface, over IPv4 and IPv6 (`8000`); one
    /// address (`"127.0.0.1:8000"`); a Unix socket (`"/run/squall.sock"`).
    ///
    /// Nothing is served before [`start`](Self::start), which takes over all that was bound.
    /// Port 0 is one that is free: see [`local_addrs`](Self::local_addrs).
    ///
    /// # Errors
    ///
    /// If the address is taken (`AddrInUse`) or may not be used; the message names it.
    pub fn bind(&self, address: impl Into<BindAddress>) -> io::Result<&Self> {
        self.keep(bind_sockets(address)?);
        Ok(self)
    }

    /// Listens on `address` as `options` say: the backlog, probes of silent connections, who may
    /// connect to a Unix socket.
    ///
    /// ```no_run
    /// use squall::{Application, BindOptions, HTTPServer};
    ///
    /// let server = HTTPServer::new(Application::new([]));
    /// server.bind_with(&BindOptions::new().unix_mode(0o660), "/run/squall.sock")?.start(0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        &self,
        options: &BindOptions,
        address: impl Into<BindAddress>,
    ) -> io::Result<&Self> {
        self.keep(options.bind_sockets(address)?);
        Ok(self)
    }

    /// The addresses that are listened on over TCP.
    ///
    /// ```
    /// # use squall::{Application, HTTPServer};
    /// let server = HTTPServer::new(Application::new([]));
    /// server.bind("127.0.0.1:0")?;
    /// assert_ne!(server.local_addrs()[0].port(), 0, "the system has chosen one");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.shared.addresses.borrow().clone()
    }

    /// Listens on `address` and serves it in this process: [`bind`](Self::bind) and
    /// [`start(1)`](Self::start).
    ///
    /// # Errors
    ///
    /// As those two.
    #[track_caller]
    pub fn listen(&self, address: impl Into<BindAddress>) -> io::Result<()> {
        self.bind(address)?.start(1)
    }

    /// Serves sockets that were bound with [`bind_sockets`], in this process.
    ///
    /// With [`fork_processes`](crate::process::fork_processes) in between, for what each
    /// worker has to do itself:
    ///
    /// ```no_run
    /// # use squall::{Application, HTTPServer, IOLoop, bind_sockets, process};
    /// # let app = Application::new([]);
    /// let sockets = bind_sockets(8000)?;
    /// let task_id = process::fork_processes(0)?;
    /// println!("worker {task_id} begins");
    /// HTTPServer::new(app).add_sockets(sockets)?;
    /// IOLoop::current().start()
    /// # ?; Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the sockets cannot be made ready for the loop.
    #[track_caller]
    pub fn add_sockets(&self, sockets: Sockets) -> io::Result<()> {
        self.shared.addresses.borrow_mut().extend(sockets.local_addrs());
        self.serve(sockets)
    }

    /// Stops listening, from one of the next turns of the loop on. Connections that are there
    /// are served on.
    ///
    /// In a worker, its share of the connections goes to the other workers; that of a Unix
    /// socket, which they share, does so anyway.
    #[track_caller]
    pub fn stop(&self) {
        let stopping = self.stop_accepting(true, accept::LAST_ACCEPTS);
        // There may be no loop yet, and must not be one before a fork.
        if self.shared.service.get().is_some() {
            IOLoop::current().spawn_callback(stopping);
        }
    }

    /// Accepts no more connections. If nobody else serves the listeners, what has connected is
    /// accepted before, in no more than `limit`.
    fn stop_accepting(&self, is_last: bool, limit: Duration) -> impl Future<Output = ()> + use<> {
        self.shared.bound.take();
        self.shared.adopting.take();
        let accepting = self.shared.accepting.take();
        let service = self.shared.service.get().cloned();
        async move {
            let Some(service) = service else { return };
            if is_last {
                accept::drain_accept_queues(&service, accepting, limit).await;
            }
        }
    }

    fn keep(&self, sockets: Sockets) {
        self.shared.addresses.borrow_mut().extend(sockets.local_addrs());
        self.shared.bound.borrow_mut().push(sockets);
    }
}

impl Application {
    /// Serves the application on `address` in this process: [`HTTPServer::new`] and
    /// [`listen`](HTTPServer::listen).
    ///
    /// ```no_run
    /// # use squall::{Application, IOLoop, get, route};
    /// Application::new([route("/", get(async || "Hello, world"))]).listen(8000)?;
    /// IOLoop::current().start()
    /// # ?; Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`HTTPServer::listen`].
    #[track_caller]
    pub fn listen(self, address: impl Into<BindAddress>) -> io::Result<HTTPServer> {
        let server = HTTPServer::new(self);
        server.listen(address)?;
        Ok(server)
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HTTPServer")
            .field("addresses", &self.shared.addresses)
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
