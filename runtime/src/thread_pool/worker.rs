//! A thread of a pool.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::thread;
use std::time::Instant;

use super::{Job, Shared, State};

impl Shared {
    /// Runs jobs until there have been none for some time.
    pub(super) fn work(&self) {
        while let Some(job) = self.next_job() {
            // The panic of a job goes to who awaits it. This one is that of a waker, or of a result
            // that was dropped because nobody awaits it. The panic hook has printed it.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| job(Ok(())))) {
                // Its destructor might panic as well.
                mem::forget(payload);
            }
        }
    }

    /// Waits for a job. `None`: this thread ends, and is not counted any more.
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

    /// Waits until this thread is called, which is when it is taken out of the idle ones. False: its
    /// time is over, or the pool was dropped.
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
