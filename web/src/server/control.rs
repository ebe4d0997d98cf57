//! Where a server serves its control view.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use squall_runtime::{BindAddress, BindOptions, IOLoop, Sockets};

use super::accept;
use super::{HTTPServer, Service};

/// What is told there is for those who run the server.
const CONTROL_MODE: u32 = 0o600;

impl HTTPServer {
    /// Serves the [control view](crate::observe::control) on `address`, once the server serves: a Unix
    /// socket, to which only the user of the process may connect (`"/run/app.sock"`), or a TCP
    /// address that only this machine reaches (`"127.0.0.1:8001"`), which is then open to each of
    /// its users. For others there is [`control_with`](Self::control_with).
    ///
    /// The file is that of the user who binds it: after [`ForkOptions::user`], it is still root's.
    ///
    /// [`ForkOptions::user`]: crate::process::ForkOptions::user
    ///
    /// It is answered until the process ends, also while the server drains. A server with workers
    /// must have it bound before they are forked, so that they share it: before
    /// [`start`](Self::start), or before [`fork_processes`](crate::process::fork_processes) where
    /// [`add_sockets`](Self::add_sockets) follows. In a process that serves already, it is served
    /// from now on.
    ///
    /// ```no_run
    /// # use squall::{Application, HTTPServer};
    /// # let app = Application::new([]);
    /// let server = HTTPServer::new(app);
    /// server.control("/run/app.sock")?;
    /// server.bind(8000)?.start(0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); and of the kind `InvalidInput` if others than this machine could
    /// reach the address.
    pub fn control(&self, address: impl Into<BindAddress>) -> io::Result<&Self> {
        let sockets = BindOptions::new().unix_mode(CONTROL_MODE).bind_sockets(address)?;
        match sockets.local_addrs().iter().find(|address| !is_of_this_machine(address)) {
            Some(open) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the control view would be open to whoever reaches {open}: let it be a Unix \
                     socket or a loopback address, or ask for it by `control_with`"
                ),
            )),
            None => self.keep_control(sockets),
        }
    }

    /// As [`control`](Self::control), on a socket as `options` say, and on whatever address: one
    /// that others reach shows them which routes there are, and how often each is asked for. There
    /// is no password.
    ///
    /// ```no_run
    /// # use squall::{Application, BindOptions, HTTPServer};
    /// # let server = HTTPServer::new(Application::new([]));
    /// // For the members of a group as well.
    /// server.control_with(&BindOptions::new().unix_mode(0o660), "/run/app.sock")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
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

    /// Serves the control view where it was bound and is not served yet.
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
