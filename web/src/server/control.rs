//! The listeners of the control view.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use squall_runtime::{BindAddress, BindOptions, IOLoop, Sockets};

use super::accept;
use super::{HTTPServer, Service};

/// Only the user that runs the server may read the control view.
const CONTROL_MODE: u32 = 0o600;

impl HTTPServer {
    /// Serves the [control view](crate::observe::control) on `address`, once the server serves.
    ///
    /// The address is a Unix socket (`"/run/app.sock"`), to which only the user of the process may
    /// connect, or a loopback TCP address (`"127.0.0.1:8001"`), which is open to all users of this
    /// machine. For other addresses, use [`control_with`](Self::control_with).
    ///
    /// The file of a Unix socket belongs to the user who binds it. It still belongs to root after
    /// [`ForkOptions::user`](crate::process::ForkOptions::user).
    ///
    /// The control view answers until the process ends, also during the graceful shutdown. Workers
    /// share its socket, so bind it before they are forked: before [`start`](Self::start), or
    /// before [`fork_processes`](crate::process::fork_processes) if
    /// [`add_sockets`](Self::add_sockets) follows. A process that serves already begins to serve it
    /// at once.
    ///
    /// # Errors
    ///
    /// Like [`bind`](Self::bind), and `InvalidInput` if other machines could reach the address.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use squall::{Application, HTTPServer};
    /// # let app = Application::new([]);
    /// let server = HTTPServer::new(app);
    /// server.control("/run/app.sock")?;
    /// server.bind(8000)?.start(0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn control(&self, address: impl Into<BindAddress>) -> io::Result<&Self> {
        let sockets = BindOptions::new().unix_mode(CONTROL_MODE).bind_sockets(address)?;
        match sockets.local_addrs().iter().find(|address| !is_of_this_machine(address)) {
            Some(open) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the control view would be open to other machines on {open}: use a Unix socket, \
                     a loopback address, or `control_with`"
                ),
            )),
            None => self.keep_control(sockets),
        }
    }

    /// Like [`control`](Self::control), but with `options` and on any address.
    ///
    /// There is no password. A client that can connect sees the routes and how often each is
    /// requested.
    ///
    /// # Errors
    ///
    /// Like [`bind`](Self::bind).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use squall::{Application, BindOptions, HTTPServer};
    /// # let server = HTTPServer::new(Application::new([]));
    /// // For the members of a group as well.
    /// server.control_with(&BindOptions::new().unix_mode(0o660), "/run/app.sock")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn control_with(
        &self,
        options: &BindOptions,
        address: impl Into<BindAddress>,
    ) -> io::Result<&Self> {
        self.keep_control(options.bind_sockets(address)?)
    }

    fn keep_control(&self, sockets: Sockets) -> io::Result<&Self> {
        self.shared.control.borrow_mut().push(sockets);
        if self.shared.service.get().is_some() {
            self.serve_control()?;
        }
        Ok(self)
    }

    /// Serves the control view on the bound sockets that are not served yet.
    pub(super) fn serve_control(&self) -> io::Result<()> {
        let control = self.shared.control.take();
        if control.is_empty() {
            return Ok(());
        }
        let service = Rc::new(Service::control());
        for sockets in control {
            for listener in sockets.into_listeners()? {
                let (service, listener) = (Rc::clone(&service), Rc::new(listener));
                let accepting = accept::accept(self.clone(), service, listener);
                IOLoop::current().spawn_callback(accepting);
            }
        }
        Ok(())
    }
}

fn is_of_this_machine(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
