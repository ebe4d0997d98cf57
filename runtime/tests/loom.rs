//! Every interleaving of a loop that falls asleep with threads that wake it, tried by loom:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p squall-runtime --release --test loom`
#![cfg(loom)]

use std::collections::VecDeque;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use wake::Signal;

// The source that the executor is built from, on loom's atomics.
#[path = "../src/executor/wake.rs"]
mod wake;

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
}

/// The part of a loop that threads share: like `executor::Remote`, with a plain queue instead of
/// the lock-free one, and a flag instead of an eventfd.
struct Remote {
    queue: Mutex<VecDeque<u32>>,
    signal: Signal,
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Remote {
    fn new() -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            signal: Signal::new(),
            rung: Mutex::new(false),
            bell: Condvar::new(),
        }
    }

    fn send(&self, message: u32) {
        self.queue.lock().unwrap().push_back(message);
        if self.signal.announce() {
            *self.rung.lock().unwrap() = true;
            self.bell.notify_one();
        }
    }

    /// Receives messages as the loop does until there were `count`, at most `most` per turn. Sleeps
    /// in between. If no thread rings the bell, loom reports a deadlock.
    fn receive(&self, count: usize, most: usize) -> Vec<u32> {
        let mut received = self.take(most);
        while received.len() < count {
            self.sleep();
            received.append(&mut self.take(most));
        }
        received
    }

    /// Receives at most this many messages.
    fn take(&self, most: usize) -> Vec<u32> {
        let mut received = Vec::new();
        if !self.signal.take() {
            return received;
        }
        while received.len() < most {
            let Some(message) = self.queue.lock().unwrap().pop_front() else { return received };
            received.push(message);
        }
        self.signal.leave_pending();
        received
    }

    /// Sleeps until the bell rings, unless there is a message.
    fn sleep(&self) {
        if self.signal.park() {
            let mut rung = self.rung.lock().unwrap();
            while !*rung {
                rung = self.bell.wait(rung).unwrap();
            }
            // An eventfd that reports each write once.
            *rung = false;
            drop(rung);
            self.signal.unpark();
        }
    }
}

/// The names begin with `loom`, so that `cargo test loom` runs only these.
mod loom_model {
    use super::*;

    #[test]
    fn a_wake_by_another_thread_is_never_missed() {
        loom::model(|| {
            let remote = Arc::new(Remote::new());
            let sender = Arc::clone(&remote);
            let thread = thread::spawn(move || {
                sender.send(1);
                sender.send(2);
            });
            assert_eq!(remote.receive(2, 1), [1, 2]);
            thread.join().unwrap();
        });
    }

    #[test]
    fn two_threads_that_wake_at_once_both_wake_the_loop() {
        loom::model(|| {
            let remote = Arc::new(Remote::new());
            let threads = [1, 2].map(|message| {
                let sender = Arc::clone(&remote);
                thread::spawn(move || sender.send(message))
            });
            let mut received = remote.receive(2, usize::MAX);
            received.sort_unstable();
            assert_eq!(received, [1, 2]);
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    /// The flag that wakes the future of `run_sync`. It is beside the queue, and the loop checks it
    /// after it has taken the signal.
    #[test]
    fn a_flag_set_before_an_announcement_is_seen_although_messages_were_left() {
        loom::model(|| {
            let remote = Arc::new(Remote::new());
            let woken = Arc::new(AtomicBool::new(false));
            remote.queue.lock().unwrap().extend([1, 2]);
            assert!(!remote.signal.announce());
            let (sender, flag) = (Arc::clone(&remote), Arc::clone(&woken));
            let thread = thread::spawn(move || {
                flag.store(true, Ordering::Relaxed);
                if sender.signal.announce() {
                    *sender.rung.lock().unwrap() = true;
                    sender.bell.notify_one();
                }
            });
            assert_eq!(remote.receive(2, 1), [1, 2]);
            while !woken.load(Ordering::Relaxed) {
                remote.sleep();
                remote.take(1);
            }
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_bell_that_was_rung_once_too_often_does_no_harm() {
        loom::model(|| {
            let remote = Arc::new(Remote::new());
            *remote.rung.lock().unwrap() = true;
            let sender = Arc::clone(&remote);
            let thread = thread::spawn(move || sender.send(1));
            assert_eq!(remote.receive(1, usize::MAX), [1]);
            thread.join().unwrap();
        });
    }
}
