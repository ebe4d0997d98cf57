//! The server: binds, forks, accepts, serves and shuts down.
//!
//! # Layout
//!
//! - `server`: [`HTTPServer`], what it serves and where it listens.
//! - `settings`, `proxies`: its settings; the second one has those for servers behind proxies.
//! - `start`: forks the workers, builds the application and begins to accept.
//! - `accept`: accepts connections, and empties the accept queue at the end.
//! - `serve`: the life of a connection and the steps of a request; `proxy_header`: the PROXY
//!   protocol header before the first request.
//! - `service`: an application as one process serves it.
//! - `shutdown`: the graceful shutdown; `background`: tasks that it waits for.
//! - `control`: the listeners of the control view.

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
/// An `HTTPServer` is a cheap handle. Clones are the same server, and dropping one stops nothing.
///
/// # Settings
///
/// Each setting has a method that takes and returns the server. Call them first:
/// [`bind`](Self::bind) returns a reference, and after [`start`](Self::start) they panic. A
/// time-out is a `Duration`, or `None` for no limit.
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
/// # Graceful shutdown
///
/// SIGTERM and SIGINT end a server gracefully, with workers or without. After the
/// [`drain_delay`](Self::drain_delay) (none by default), the server
///
/// 1. accepts no more connections,
/// 2. finishes the requests in progress, and lets each kept connection send one more,
/// 3. waits for the tasks of [`spawn_background`](crate::spawn_background), but not for those of
///    [`spawn_callback`](IOLoop::spawn_callback),
/// 4. cancels at the [`shutdown_timeout`](Self::shutdown_timeout) whatever is left, and logs it,
/// 5. stops the loop, so that [`IOLoop::start`] returns.
///
/// A handler with a long response awaits [`Context::draining`](crate::Context::draining), an
/// upgraded connection [`Upgraded::draining`](crate::Upgraded::draining). Work that belongs to no
/// request uses [`on_drain`](Self::on_drain).
///
/// SIGINT stays ignored if it was ignored when the program began, as in a background job of a shell
/// script. In a process without a supervisor, a handler that never returns keeps it from reacting
/// to either signal: see [`start`](Self::start). [`process`](crate::process#running-it) describes
/// what an operator has to know.
///
/// # Examples
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
#[derive(Clone)]
pub struct HTTPServer {
    shared: Rc<Shared>,
}

struct Shared {
    application: RefCell<Option<Build>>,
    settings: RefCell<Settings>,
    bound: RefCell<Vec<Sockets>>,
    started: Cell<bool>,
    /// The sockets of the control view that are not served yet.
    control: RefCell<Vec<Sockets>>,
    addresses: RefCell<Vec<SocketAddr>>,
    /// Created in the process that serves.
    service: OnceCell<Rc<Service>>,
    accepting: RefCell<Vec<accept::Accepting>>,
    /// The functions to call when the graceful shutdown begins.
    on_drain: RefCell<Vec<shutdown::Hook>>,
    /// Tasks that accept for workers that cannot.
    adopting: RefCell<Vec<Task<()>>>,
    /// The shutdown, while it waits for listeners to adopt.
    awaits_adoption: Cell<Option<Waker>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Hooks are left if the loop was stopped without a graceful shutdown.
        let is_served = |service: &Rc<Service>| service.is_served_to_the_end();
        if self.service.get().is_some_and(is_served) {
            for hook in self.on_drain.take() {
                service::contain("a hook of `on_drain`", || drop(hook));
            }
        }
    }
}

/// Builds the application. The error is the text of the builder's error.
type Build = Box<dyn FnOnce() -> Result<Application, String>>;

impl HTTPServer {
    /// Creates a server for `app`. It does not listen yet.
    ///
    /// With several workers, each has a copy of the application as it was at
    /// [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Panics if a function of the application takes a state that the application does not have:
    /// see [`Application::check`].
    #[track_caller]
    pub fn new(app: Application) -> Self {
        if let Err(error) = app.check() {
            panic!("{error}");
        }
        Self::with(|| app)
    }

    /// Creates a server whose application is built once in each worker, when the worker begins.
    ///
    /// Use it if handlers hold resources that processes cannot share: database connections, pools,
    /// subscriptions, random number generators.
    ///
    /// # Examples
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

    /// Like [`with`](Self::with), but building the application may fail, for example because its
    /// database cannot be opened.
    ///
    /// A worker whose builder fails logs one line with the error, and ends. The consequence depends
    /// on the time:
    ///
    /// | time of the failure | consequence |
    /// |---|---|
    /// | the start of the server | the server stops the other workers and exits with status 1 |
    /// | after `SIGHUP` | the running workers continue, and no more of them are replaced |
    /// | the replacement of a worker that died | the supervisor tries again, with growing delays of up to a minute while other workers serve |
    ///
    /// In a process without workers, [`start`](Self::start) returns the error.
    ///
    /// A panic in a worker's builder is such a failure, too.
    ///
    /// The error may be any type that implements `Display`. With [`squall::Result`](crate::Result),
    /// `?` accepts all standard errors, and the log line includes their causes.
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
        // In the alternate form, `anyhow` prints the chain of causes.
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

    /// Binds `address`: a port of every interface, over IPv4 and IPv6 (`8000`); one address
    /// (`"127.0.0.1:8000"`); or a Unix socket (`"/run/squall.sock"`).
    ///
    /// The server serves all bound addresses once it is [started](Self::start). Port 0 lets the
    /// kernel choose a free port: see [`local_addrs`](Self::local_addrs).
    ///
    /// # Errors
    ///
    /// If the address is in use (`AddrInUse`) or cannot be bound. The message names it.
    pub fn bind(&self, address: impl Into<BindAddress>) -> io::Result<&Self> {
        self.keep(bind_sockets(address)?);
        Ok(self)
    }

    /// Like [`bind`](Self::bind), but with `options`: the backlog, keep-alive probes, the
    /// permissions of a Unix socket.
    ///
    /// # Errors
    ///
    /// Like [`bind`](Self::bind).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall::{Application, BindOptions, HTTPServer};
    ///
    /// let server = HTTPServer::new(Application::new([]));
    /// server.bind_with(&BindOptions::new().unix_mode(0o660), "/run/squall.sock")?.start(0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_with(
        &self,
        options: &BindOptions,
        address: impl Into<BindAddress>,
    ) -> io::Result<&Self> {
        self.keep(options.bind_sockets(address)?);
        Ok(self)
    }

    /// Returns the TCP addresses that are bound.
    ///
    /// # Examples
    ///
    /// ```
    /// # use squall::{Application, HTTPServer};
    /// let server = HTTPServer::new(Application::new([]));
    /// server.bind("127.0.0.1:0")?;
    /// assert_ne!(server.local_addrs()[0].port(), 0, "the kernel has chosen a port");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.shared.addresses.borrow().clone()
    }

    /// Binds `address` and serves it in this process: [`bind`](Self::bind), then
    /// [`start(1)`](Self::start).
    ///
    /// # Errors
    ///
    /// Like these two methods.
    #[track_caller]
    pub fn listen(&self, address: impl Into<BindAddress>) -> io::Result<()> {
        self.bind(address)?.start(1)
    }

    /// Serves sockets in this process that were bound with [`bind_sockets`].
    ///
    /// Call [`fork_processes`](crate::process::fork_processes) in between if each worker has to
    /// prepare something itself.
    ///
    /// # Errors
    ///
    /// If the sockets cannot be registered with the loop, or the application
    /// [cannot be built](Self::try_with).
    ///
    /// # Examples
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
    #[track_caller]
    pub fn add_sockets(&self, sockets: Sockets) -> io::Result<()> {
        self.shared.addresses.borrow_mut().extend(sockets.local_addrs());
        self.serve(sockets)
    }

    /// Stops listening within the next turns of the loop. Open connections are still served.
    ///
    /// In a worker, new clients then connect to the other workers.
    #[track_caller]
    pub fn stop(&self) {
        let stopping = self.stop_accepting(true, accept::LAST_ACCEPTS);
        // There may be no loop yet, and there must be none before a fork.
        if self.shared.service.get().is_some() {
            IOLoop::current().spawn_callback(stopping);
        }
    }

    /// Closes the listeners. If no other worker serves them (`is_last`), accepts the clients that
    /// have connected first, within `limit`.
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
    /// Serves the application on `address` in this process: [`HTTPServer::new`], then
    /// [`listen`](HTTPServer::listen).
    ///
    /// # Errors
    ///
    /// Like [`HTTPServer::listen`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use squall::{Application, IOLoop, get, route};
    /// Application::new([route("/", get(async || "Hello, world"))]).listen(8000)?;
    /// IOLoop::current().start()
    /// # ?; Ok::<(), std::io::Error>(())
    /// ```
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
