//! Other systems: `sigwait`, with an alarm for the deadline, which is exact to a second. Untested
//! so far.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::alarm;

use super::Awaited;

/// It cannot wait for descriptors as well, and looks at them so often.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Waiter(SigSet);

impl Waiter {
    pub(crate) fn new(set: &SigSet) -> io::Result<Self> {
        let mut set = *set;
        set.add(Signal::SIGALRM);
        Ok(Self(set))
    }

    pub(crate) fn wait(
        &self,
        deadline: Option<Instant>,
        _wires: &[BorrowedFd<'_>],
    ) -> io::Result<Awaited> {
        let look = Instant::now() + LOOK;
        let deadline = deadline.map_or(look, |deadline| deadline.min(look));
        let mut alarm_only = SigSet::empty();
        alarm_only.add(Signal::SIGALRM);
        alarm_only.thread_block()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Awaited::Ring);
            }
            let seconds = left.as_millis().div_ceil(1000);
            alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
            match self.0.wait()? {
                Signal::SIGALRM => {}
                signal => return Ok(Awaited::Signal(signal)),
            }
        }
    }
}
