//! A thread of a pool.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::thread;
use std::time::Instant;

use super::{Job, Shared, State};

impl Shared {
    /// Runs jobs until none has arrived for some time.
    pub(super) fn work(&self) {
        while let Some(job) = self.next_job() {
            // The caller gets the panic of a job. This panic comes from a waker, or from the
            // destructor of a result that no caller awaits. The panic hook has printed it.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| job(Ok(())))) {
                // The destructor of the payload may panic, too.
                mem::forget(payload);
            }
        }
    }

    /// Waits for a job. Returns `None` if this thread shall end; it is not counted any more then.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some((_, job)) = state.jobs.pop_first() {
                return Some(job);
            }
            let is_called;
            (state, is_called) = self.rest(state);
            if !is_called {
                state.threads -= 1;
                return None;
            }
        }
    }

    /// Waits until a submission takes this thread out of the idle ones. Returns `false` if the time
    /// is over or the pool was dropped.
    fn rest<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        if state.closed {
            return (state, false);
        }
        let own = thread::current();
        let until = Instant::now() + self.idle_limit;
        state.idle.push(own.clone());
        loop {
            drop(state);
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
            state = self.lock();
            let place = state.idle.iter().position(|thread| thread.id() == own.id());
            let Some(place) = place else { return (state, true) };
            if Instant::now() >= until {
                state.idle.remove(place);
                return (state, false);
            }
        }
    }
}
