//! What a worker's loop shows its supervisor: when its turn began, and which task it runs. So the
//! supervisor notices a worker that is stuck, and can name the task.

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
    /// Added to a time of this thread's clock.
    offset: u64,
}

/// Makes the loop of this thread write into these words. `now` is the time `nanos` of this thread's
/// clock, in the nanoseconds of the supervisor.
pub(crate) fn write_into(turn: &'static AtomicU64, task: &'static AtomicU64, now: u64, nanos: u64) {
    PULSE.set(Some(Pulse { turn, task, offset: now.wrapping_sub(nanos) }));
}

/// Returns whether the loop of this thread writes its pulse.
pub(crate) fn is_written() -> bool {
    PULSE.get().is_some()
}

/// Notes that a turn begins, at this time of the thread's clock.
#[inline]
pub(crate) fn begin_turn(nanos: u64) {
    if let Some(pulse) = PULSE.get() {
        pulse.turn.store(pulse.offset.wrapping_add(nanos), Relaxed);
    }
}

/// Notes that the loop waits or ends, so having no turn is normal.
#[inline]
pub(crate) fn rest() {
    if let Some(pulse) = PULSE.get() {
        pulse.turn.store(0, Relaxed);
    }
}

/// Notes the spawn site of the running task, or that none runs. Only the address is written,
/// because the supervisor runs the same program.
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
    fn a_turn_and_its_task_are_shown_and_cleared_at_the_end() {
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
        // The words are written while the thread lives.
        thread::spawn(run).join().unwrap();
        assert_eq!((TURN.load(Relaxed), TASK.load(Relaxed)), (0, 0));
    }

    #[test]
    fn a_task_that_began_before_the_pulse_is_shown_and_so_is_another_of_the_same_site() {
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
                assert_eq!(TASK.load(Relaxed), 0, "no task runs here");
                assert_ne!(first, 0);
                assert_eq!(spawn().await.unwrap(), first);
                let other = IOLoop::current().spawn(async { TASK.load(Relaxed) });
                assert!(![0, first].contains(&other.await.unwrap()));
            })
        };
        thread::spawn(run).join().unwrap().unwrap();
    }
}
