//! How the server appears to the system: the part of [`ForkOptions`] that is about it.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::ForkOptions;
use crate::process::options::check_time;

impl ForkOptions {
    /// Sets what the processes are called in `ps` and `top`: `shop: supervisor`,
    /// `shop: worker 3`. Default: the name of the program, without its path. `None` leaves the
    /// command line as it is.
    ///
    /// On Linux. What `main` was given stays as it was in [`std::env::args`], and only `ps` shows
    /// something else. Names of processes have 15 bytes, and keep the end: `book:supervisor`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().title("shop").fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn title<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.presence.title = name.into().map(str::to_owned);
        self
    }

    /// Binds each worker to one of the processors that the process may use, one after the other. If
    /// there are more workers than processors, some share one. Default: `false`.
    ///
    /// It pays where workers are busy all the time and nothing else runs there. Elsewhere the
    /// system places them better. Threads that a worker starts are on the same processor. On
    /// Linux; elsewhere a warning is logged.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().pin_cpus(true).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn pin_cpus(mut self, pin: bool) -> Self {
        self.presence.pin_cpus = pin;
        self
    }

    /// Makes the server continue as this user, a name or a number, once it has bound its sockets:
    /// so it can serve port 80 without running as root. Default: the user that started it.
    ///
    /// The supervisor gives up its rights before it forks, for good, and fails if they could be
    /// had again. The group is the user's own unless [`group`](Self::group) says otherwise; of
    /// further groups it keeps none but the user's. If the process is that user already,
    /// nothing is done, so that the same program runs under `sudo` and under a service manager
    /// that has switched users itself.
    ///
    /// Afterwards no process can join the port's group, so the number of workers cannot exceed the
    /// number of sockets: see [`max_workers`](Self::max_workers).
    ///
    /// The file of a Unix socket keeps its owner. Choose with
    /// [`unix_mode`](crate::BindOptions::unix_mode) which users may connect, or let the program
    /// change the owner of the file before this.
    ///
    /// On Linux and FreeBSD.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::{ForkOptions, bind_sockets};
    ///
    /// let sockets = bind_sockets(80)?;
    /// ForkOptions::new().user("www-data").fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.presence.privileges.user = Some(user.into());
        self
    }

    /// Makes the server continue in this group, a name or a number. Default: the group of the
    /// [`user`](Self::user), or, without one, the group that the server was started in.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().user("65534").group("nogroup").fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.presence.privileges.group = Some(group.into());
        self
    }

    /// Sets how long a new program may take to be ready after `SIGUSR2`, before it is given up
    /// and this one goes on. Default 60 seconds.
    ///
    /// # Panics
    ///
    /// If `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().upgrade_timeout(Duration::from_secs(10)).fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        check_time("upgrade_timeout", Some(timeout));
        self.presence.upgrade_timeout = timeout;
        self
    }

    /// Writes the process id of the server to this file, for as long as it lives. Default:
    /// none.
    ///
    /// The file is there whole or not at all. It is locked: one that a dead server has left is
    /// replaced, and one of a server that lives is an error, and so is any other file of that
    /// name. It is written before rights are given up; if the server may then not remove it, it
    /// is emptied.
    ///
    /// A server that is replaced by a [new version](crate::process#a-new-version-of-the-program)
    /// hands it over, open and locked, so that neither rights nor luck are needed: it names the old
    /// one until that has left its place, and then the new one, if it has the same path there.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use squall_runtime::process::ForkOptions;
    ///
    /// ForkOptions::new().pid_file("/run/shop.pid").fork_processes()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.presence.pid_file = Some(path.into());
        self
    }
}
