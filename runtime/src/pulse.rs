//! What the loop of a worker writes where its supervisor sees it: when its turn began, and which
//! task it runs. Who stands still for too long is known by this, and where.

use std::cell::Cell;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

thread_local! {
    static PULSE: Cell<Option<Pulse>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Pulse {
    turn: &'static AtomicU64,
    task: &'static AtomicU64,
    /// What is added to a time of this thread's clock.
    offset: u64,
}

/// Has the loop of this thread write into these words. `now` is the time of `nanos`, a time of this
/// thread's clock, in the nanoseconds that `turn` is written in.
pub(crate) fn write_into(turn: &'static AtomicU64, task: &'static AtomicU64, now: u64, nanos: u64) {
    PULSE.set(Some(Pulse { turn, task, offset: now.wrapping_sub(nanos) }));
}

/// Whether the loop of this thread writes into any.
pub(crate) fn is_written() -> bool {
    PULSE.get().is_some()
}

/// A turn begins, at this time of the thread's clock.
#[inline]
pub(crate) fn begin_turn(nanos: u64) {
    if let Some(pulse) = PULSE.get() {
        pulse.turn.store(pulse.offset.wrapping_add(nanos), Relaxed);
    }
}

/// The loop waits, or ends: that it has no turn is no fault.
#[inline]
pub(crate) fn rest() {
    if let Some(pulse) = PULSE.get() {
        pulse.turn.store(0, Relaxed);
    }
}

/// A task runs that was spawned there, or none. Only the address is written: who reads it has the
/// same program in memory.
#[inline]
pub(crate) fn run(site: impl FnOnce() -> Option<&'static Location<'static>>) {
    if let Some(pulse) = PULSE.get() {
        pulse.task.store(site().map_or(0, |site| ptr::from_ref(site).addr() as u64), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::IOLoop;

    static TURN: AtomicU64 = AtomicU64::new(0);
    static TASK: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn a_task_sees_its_turn_and_itself_and_nothing_is_left() {
        let run = || {
            crate::timer::read_clock();
            write_into(&TURN, &TASK, 5_000_000_000, crate::timer::nanos());
            let task = IOLoop::current().spawn(async {
                let turn = TURN.load(Relaxed);
                assert!((5_000_000_000..60_000_000_000).contains(&turn), "{turn}");
                assert_ne!(TASK.load(Relaxed), 0);
            });
            IOLoop::current().run_sync(task).unwrap().unwrap();
        };
        // The words are written for as long as the thread lives.
        thread::spawn(run).join().unwrap();
        assert_eq!((TURN.load(Relaxed), TASK.load(Relaxed)), (0, 0));
    }

    #[test]
    fn what_runs_is_seen_even_if_it_has_begun_before_the_words_were_written_and_is_as_the_last() {
        static TURN: AtomicU64 = AtomicU64::new(0);
        static TASK: AtomicU64 = AtomicU64::new(0);
        let spawn = || {
            IOLoop::current().spawn(async {
                write_into(&TURN, &TASK, 0, 0);
                crate::executor::show_site();
                crate::yield_now().await;
                TASK.load(Relaxed)
            })
        };
        let run = move || {
            IOLoop::current().run_sync(async {
                let first = spawn().await.unwrap();
                assert_eq!(TASK.load(Relaxed), 0, "this is no task");
                assert_ne!(first, 0);
                assert_eq!(spawn().await.unwrap(), first);
                let other = IOLoop::current().spawn(async { TASK.load(Relaxed) });
                assert!(![0, first].contains(&other.await.unwrap()));
            })
        };
        thread::spawn(run).join().unwrap().unwrap();
    }
}
