//! Elsewhere: `sigwait`, with an alarm for the deadline, which is thus exact to a second. Nobody
//! has tried this yet.

use std::io;
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::alarm;

#[derive(Debug)]
pub(super) struct Waiter(SigSet);

impl Waiter {
    pub(super) fn new(set: &SigSet) -> io::Result<Self> {
        let mut set = *set;
        set.add(Signal::SIGALRM);
        Ok(Self(set))
    }

    pub(super) fn wait(&self, deadline: Option<Instant>) -> io::Result<Option<Signal>> {
        let mut alarm_only = SigSet::empty();
        alarm_only.add(Signal::SIGALRM);
        alarm_only.thread_block()?;
        loop {
            match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return Ok(None),
                Some(left) => {
                    let seconds = left.as_millis().div_ceil(1000);
                    alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
                }
                None => {
                    alarm::cancel();
                }
            }
            match self.0.wait()? {
                Signal::SIGALRM => {}
                signal => return Ok(Some(signal)),
            }
        }
    }
}
