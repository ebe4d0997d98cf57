//! Telling systemd how the server is: `sd_notify(3)`, a datagram to the socket that
//! `NOTIFY_SOCKET` names.
//!
//! A server also serves without a service manager, and if the manager does not listen. Messages
//! that cannot be sent are dropped.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::id;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Where messages go.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";
/// Within how many microseconds the manager wants to hear that the process lives.
pub(crate) const WATCHDOG_TIME: &str = "WATCHDOG_USEC";
/// The process that must report.
pub(crate) const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// The way to the service manager.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Watchdog>,
}

/// A sign of life is due now and then.
#[derive(Debug)]
struct Watchdog {
    interval: Duration,
    next: Instant,
}

impl Notifier {
    /// What the environment says, if it says anything.
    pub(crate) fn from_environment() -> Option<Self> {
        let interval = watchdog_interval(
            env::var(WATCHDOG_TIME).ok().as_deref(),
            env::var(WATCHDOG_PROCESS).ok().as_deref(),
        );
        Self::new(&env::var_os(SOCKET)?, interval).ok()
    }

    fn new(name: &OsStr, interval: Option<Duration>) -> io::Result<Self> {
        let address = address(name)?;
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not delay the server.
        socket.set_nonblocking(true)?;
        let watchdog = interval.map(|interval| Watchdog { interval, next: Instant::now() });
        Ok(Self { socket, address, watchdog })
    }

    /// Reports that the server has started, or has finished a reload.
    pub(crate) fn ready(&self, status: fmt::Arguments<'_>) {
        self.send(format_args!("READY=1\nSTATUS={status}"));
    }

    /// Reports a new status of the running server.
    pub(crate) fn status(&self, status: fmt::Arguments<'_>) {
        self.send(format_args!("STATUS={status}"));
    }

    /// The server takes on something new, and says when it is [`ready`](Self::ready).
    pub(crate) fn reloading(&self, status: fmt::Arguments<'_>) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(format_args!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS={status}"));
    }

    /// The server is about to end.
    pub(crate) fn stopping(&self, status: fmt::Arguments<'_>) {
        self.send(format_args!("STOPPING=1\nSTATUS={status}"));
    }

    /// Reports that another process is the service from now on, and is ready. That process cannot
    /// do so itself, because the manager does not accept messages from a process that it does not
    /// know.
    pub(crate) fn handed_over(&self, pid: u32) {
        self.send(format_args!("READY=1\nMAINPID={pid}\nSTATUS=process {pid} has taken over"));
    }

    /// Gives a sign of life if one is due.
    pub(crate) fn sign_of_life(&mut self, now: Instant) {
        let Some(watchdog) = &mut self.watchdog else { return };
        if watchdog.next <= now {
            watchdog.next = now + watchdog.interval;
            self.send(format_args!("WATCHDOG=1"));
        }
    }

    pub(crate) fn next_sign_of_life(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(|watchdog| watchdog.next)
    }

    fn send(&self, state: fmt::Arguments<'_>) {
        let _ = self.socket.send_to_addr(state.to_string().as_bytes(), &self.address);
    }
}

/// A path, or `@name` in the abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => abstract_address(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Half of what the manager allows, as it recommends. `None` if it does not wait for this
/// process.
fn watchdog_interval(microseconds: Option<&str>, process: Option<&str>) -> Option<Duration> {
    let is_ours = process.is_none_or(|process| process.parse() == Ok(id()));
    let microseconds = microseconds?.parse().ok().filter(|&number: &u64| number > 1)?;
    is_ours.then(|| Duration::from_micros(microseconds) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager's socket, and the notifier of one of its services.
    fn pair(name: &str) -> (UnixDatagram, Notifier) {
        let name = format!("squall-notify-{name}-{}", id());
        let manager = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        manager.set_nonblocking(true).unwrap();
        let interval = Some(Duration::from_secs(5));
        (manager, Notifier::new(format!("@{name}").as_ref(), interval).unwrap())
    }

    fn received(manager: &UnixDatagram) -> Option<String> {
        let mut message = [0; 512];
        let length = manager.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_message_is_one_datagram() {
        let (manager, notifier) = pair("messages");
        notifier.ready(format_args!("{} workers", 2));
        assert_eq!(received(&manager).unwrap(), "READY=1\nSTATUS=2 workers");
        notifier.stopping(format_args!("within 30s"));
        assert_eq!(received(&manager).unwrap(), "STOPPING=1\nSTATUS=within 30s");
        notifier.handed_over(17);
        let text = "READY=1\nMAINPID=17\nSTATUS=process 17 has taken over";
        assert_eq!(received(&manager).unwrap(), text);
        notifier.reloading(format_args!("new"));
        let text = received(&manager).unwrap();
        let time = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time: u64 = time.strip_suffix("\nSTATUS=new").unwrap().parse().unwrap();
        let now = clock_gettime(ClockId::Monotonic).tv_sec.cast_unsigned();
        assert!((now.saturating_sub(60)..=now).contains(&(time / 1_000_000)), "{time}");
        assert_eq!(received(&manager), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_watchdog_notice_is_sent_when_it_is_due() {
        let (manager, mut notifier) = pair("watchdog");
        let start = notifier.next_sign_of_life().unwrap();
        notifier.sign_of_life(start);
        let next = notifier.next_sign_of_life().unwrap();
        assert_eq!(next, start + Duration::from_secs(5));
        assert_eq!(received(&manager).unwrap(), "WATCHDOG=1");
        notifier.sign_of_life(next - Duration::from_millis(1));
        assert_eq!(received(&manager), None);
        notifier.sign_of_life(next);
        assert_eq!(received(&manager).unwrap(), "WATCHDOG=1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_service_manager_that_is_gone_or_does_not_read_delays_no_server() {
        let (manager, notifier) = pair("gone");
        for _ in 0..10_000 {
            notifier.ready(format_args!("again"));
        }
        drop(manager);
        notifier.ready(format_args!("again"));
    }

    #[test]
    fn the_interval_is_half_of_what_this_process_is_allowed() {
        let own = id().to_string();
        let half = Some(Duration::from_secs(1));
        assert_eq!(watchdog_interval(Some("2000000"), None), half);
        assert_eq!(watchdog_interval(Some("2000000"), Some(&own)), half);
        assert_eq!(watchdog_interval(Some("2000000"), Some("1")), None);
        assert_eq!(watchdog_interval(None, Some(&own)), None);
        for nonsense in ["", "0", "-5", "soon"] {
            assert_eq!(watchdog_interval(Some(nonsense), None), None);
        }
    }

    #[test]
    fn a_relative_name_is_no_address() {
        assert!(address("notify".as_ref()).is_err());
        assert!(address("".as_ref()).is_err());
        assert!(address("/run/systemd/notify".as_ref()).is_ok());
    }
}
