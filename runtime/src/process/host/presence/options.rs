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
    /// This works on Linux. [`std::env::args`] still returns the original arguments; only `ps`
    /// shows the title. The kernel limits the name of a process to 15 bytes. A longer name keeps
    /// its end: `book:supervisor`.
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
    /// This helps if the workers are always busy and nothing else runs on the machine. Otherwise
    /// the kernel places them better. Threads that a worker starts run on the same processor. This
    /// works on Linux; other systems log a warning.
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
    /// The supervisor drops its privileges for good before it forks, and fails if it could regain
    /// them. It switches to the user's own group, unless [`group`](Self::group) is set, and to the
    /// user's supplementary groups. If the process already runs as this user, nothing happens. The
    /// same program thus runs under `sudo` and under a service manager that switches the user.
    ///
    /// Afterwards no process can join the port's group, so the number of workers cannot exceed the
    /// number of sockets: see [`max_workers`](Self::max_workers).
    ///
    /// The file of a Unix socket keeps its owner. Choose with
    /// [`unix_mode`](crate::BindOptions::unix_mode) which users may connect, or let the program
    /// change the owner of the file before this.
    ///
    /// This works on Linux and FreeBSD.
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

    /// Sets how long a new program may take to become ready after `SIGUSR2`. After that, the
    /// upgrade fails and the old program continues. Default: 60 seconds.
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

    /// Writes the process id of the server to this file, and removes the file when the server ends.
    /// Default: no file.
    ///
    /// The file appears with its whole content. The server locks it: the file of a dead server is
    /// replaced; the file of a running server, or any other file at this path, is an error. The
    /// file is written before privileges are dropped. If the server may not remove it later, it
    /// empties the file.
    ///
    /// A server hands the open and locked file over to a
    /// [new version](crate::process#a-new-version-of-the-program), which therefore needs no
    /// privileges for it. The file names the old server until the new one takes over, and then the
    /// new one, if that uses the same path.
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
