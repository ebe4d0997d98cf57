//! Signals as a stream.

use std::ffi::c_int;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_lite::Stream;
use nix::sys::signal::{SigSet, Signal};
use signal_hook::SigId;
pub use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::fd::AsyncFd;

/// The signals that the process receives, as a stream.
///
/// A signal that arrives several times before the stream is polled is reported once, as in the
/// kernel. The stream never ends.
///
/// The signals lose their default effect when the stream is made. Dropping the stream does not
/// restore it: the signals then have no effect.
///
/// Making the stream unblocks its signals in this thread, because a process inherits blocked
/// signals from its parent and would never receive them. Real-time signals are unblocked together.
///
/// # Examples
///
/// ```
/// use futures_lite::StreamExt;
/// use squall_runtime::IOLoop;
/// use squall_runtime::signal::{SIGUSR1, SIGUSR2, Signals};
///
/// IOLoop::current().run_sync(async {
///     let mut signals = Signals::new([SIGUSR1, SIGUSR2])?;
///     // Like `kill -USR2` from a shell.
///     signal_hook::low_level::raise(SIGUSR2)?;
///     assert_eq!(signals.next().await, Some(SIGUSR2));
///     std::io::Result::Ok(())
/// })??;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Signals {
    /// Becomes readable when a signal arrives. Each stream makes its own pipe. A pipe per process
    /// would be shared after a fork, and carry the child's signals to the parent.
    pipe: AsyncFd<UnixStream>,
    registrations: Vec<Registration>,
}

impl Signals {
    /// Makes a stream of `signals`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for a signal that does not exist, that cannot be handled
    /// (`SIGKILL`, `SIGSTOP`), or that should not be handled (`SIGSEGV`, `SIGFPE`, `SIGILL`). Also
    /// fails if the process has too many open files.
    ///
    /// # Examples
    ///
    /// ```
    /// use squall_runtime::signal::{SIGINT, SIGTERM, Signals};
    ///
    /// let _signals = Signals::new([SIGTERM, SIGINT])?;
    /// assert!(Signals::new([9]).is_err(), "SIGKILL cannot be handled");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn new(signals: impl IntoIterator<Item = c_int>) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let registrations = signals
            .into_iter()
            .map(|signal| Registration::new(signal, &write))
            .collect::<Result<_, _>>()?;
        Ok(Self { pipe: AsyncFd::new(read)?, registrations })
    }

    fn take_one(&self) -> Option<c_int> {
        let came = |registration: &&Registration| registration.came.swap(false, Ordering::SeqCst);
        self.registrations.iter().find(came).map(|registration| registration.signal)
    }
}

impl Stream for Signals {
    type Item = c_int;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<c_int>> {
        loop {
            if let Some(signal) = self.take_one() {
                return Poll::Ready(Some(signal));
            }
            // The pipe is emptied before the flags are checked again, so a signal that arrives in
            // between makes it readable again.
            match self.pipe.poll_read_with(cx, |mut pipe| pipe.read(&mut [0; 64]), |_| false) {
                Poll::Ready(Ok(1..)) => {}
                // Neither can happen, because this owns both ends.
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// The number of streams for each signal.
static COUNTS: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

fn count(signal: c_int) -> Option<&'static AtomicUsize> {
    COUNTS.get(usize::try_from(signal).ok()?)
}

/// Returns whether more than one stream reports this signal.
pub(crate) fn is_awaited_twice(signal: c_int) -> bool {
    count(signal).is_some_and(|count| count.load(Ordering::SeqCst) > 1)
}

/// A signal that a stream reports.
#[derive(Debug)]
struct Registration {
    signal: c_int,
    came: Arc<AtomicBool>,
    /// The actions that set `came` and that write into the pipe, in this order.
    actions: [SigId; 2],
}

impl Registration {
    fn new(signal: c_int, pipe: &UnixStream) -> io::Result<Self> {
        if signal_hook::consts::FORBIDDEN.contains(&signal) {
            let message = format!("signal {signal} cannot be handled");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let pipe = pipe.try_clone()?;
        let came = Arc::new(AtomicBool::new(false));
        let flag = signal_hook::flag::register(signal, Arc::clone(&came))?;
        let wake = signal_hook::low_level::pipe::register(signal, pipe).inspect_err(|_| {
            signal_hook::low_level::unregister(flag);
        })?;
        if let Some(count) = count(signal) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        // The handler is installed, so a signal that is pending now is reported.
        unblock(signal);
        Ok(Self { signal, came, actions: [flag, wake] })
    }
}

/// Lets the kernel deliver `signal` to this thread.
fn unblock(signal: c_int) {
    let set = match Signal::try_from(signal) {
        Ok(signal) => SigSet::from(signal),
        // Real-time signals have no names, so this removes the named ones from all.
        Err(_) => {
            let mut set = SigSet::all();
            Signal::iterator().for_each(|named| set.remove(named));
            set
        }
    };
    // This fails only for an invalid argument.
    let _ = set.thread_unblock();
}

impl Drop for Registration {
    fn drop(&mut self) {
        for action in self.actions {
            signal_hook::low_level::unregister(action);
        }
        if let Some(count) = count(self.signal) {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_lite::StreamExt;

    use super::*;
    use crate::IOLoop;

    #[test]
    fn a_signal_that_was_blocked_and_is_pending_is_reported() {
        // Each thread has its own blocked signals and its own loop.
        let report = || {
            SigSet::all().thread_block().unwrap();
            // The signal stays pending for this thread.
            signal_hook::low_level::raise(SIGUSR1).unwrap();
            let mut signals = Signals::new([SIGUSR1]).unwrap();
            IOLoop::current().run_sync(async { signals.next().await }).unwrap()
        };
        assert_eq!(thread::spawn(report).join().unwrap(), Some(SIGUSR1));
    }

    #[test]
    fn a_real_time_signal_is_unblocked_and_named_ones_stay_blocked() {
        let masks = || {
            SigSet::all().thread_block().unwrap();
            unblock(40);
            SigSet::thread_get_mask().unwrap()
        };
        let mask = thread::spawn(masks).join().unwrap();
        assert_ne!(mask, SigSet::all());
        assert!(mask.contains(Signal::SIGTERM));
    }
}
