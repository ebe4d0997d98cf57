//! The promises of Tornado's loop: callbacks, timeouts, descriptors, and panics.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use futures_lite::future::poll_once;
use squall_runtime::signal::{SIGUSR1, SIGUSR2, Signals};
use squall_runtime::{AsyncFd, IOLoop, LoopClosed, sleep, timeout, yield_now};

/// Longer than any test here takes, even on a busy machine. After this time, the test hangs.
const HANGS: Duration = Duration::from_secs(120);

/// Runs the loop until the test stops it.
fn start() {
    let io_loop = IOLoop::current();
    let watchdog = io_loop.call_later(HANGS, || panic!("the loop was not stopped"));
    io_loop.start().unwrap();
    io_loop.remove_timeout(watchdog);
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let output = IOLoop::current().run_sync(timeout(HANGS, test)).unwrap().expect("it hangs");
    // The limit wakes the test, too, which may then find data without an event.
    assert!(began.elapsed() < HANGS / 2, "only the limit woke it");
    output
}

/// A readable socket, an always writable one, and the values that keep them so.
fn pair() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    (one, other)
}

/// Records events in order.
#[derive(Clone, Default)]
struct Journal(Rc<RefCell<Vec<&'static str>>>);

impl Journal {
    fn note(&self, what: &'static str) {
        self.0.borrow_mut().push(what);
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

mod callbacks {
    use super::*;

    #[test]
    fn one_added_by_another_runs_in_the_next_turn() {
        let journal = Journal::default();
        let io_loop = IOLoop::current();
        for name in ["first", "second"] {
            let journal = journal.clone();
            io_loop.add_callback(move || {
                journal.note(name);
                let io_loop = IOLoop::current();
                io_loop.add_callback(move || {
                    journal.note("added");
                    IOLoop::current().stop();
                });
            });
        }
        start();
        assert_eq!(journal.take(), ["first", "second", "added", "added"]);
    }

    #[test]
    fn callbacks_that_add_each_other_for_ever_let_timers_and_sockets_run() {
        fn again() {
            IOLoop::current().add_callback(again);
        }
        run(async {
            again();
            sleep(Duration::from_millis(1)).await;
            let (one, mut other) = pair();
            other.write_all(b"x").unwrap();
            let fd = AsyncFd::new(one).unwrap();
            let _registered = poll_once(fd.readable()).await;
            fd.readable().await.unwrap();
        });
    }

    #[test]
    fn one_from_another_thread_wakes_a_loop_that_sleeps() {
        let handle = IOLoop::current().handle();
        let (ask, asked) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            for () in asked {
                handle.add_callback(|| IOLoop::current().stop()).unwrap();
            }
        });
        let began = Instant::now();
        for _ in 0..200 {
            let ask = ask.clone();
            // Requested as late as possible, so that the loop goes to sleep.
            IOLoop::current().add_callback(move || ask.send(()).unwrap());
            start();
        }
        drop(ask);
        other.join().unwrap();
        assert!(began.elapsed() < HANGS / 2, "each time it slept on until something else");
    }

    #[test]
    fn callbacks_from_another_thread_run_or_are_refused_while_the_loop_closes() {
        let run = Arc::new(AtomicUsize::new(0));
        let (hand, handed) = mpsc::channel();
        let owner = thread::spawn(move || {
            hand.send(IOLoop::current().handle()).unwrap();
            start();
        });
        let handle = handed.recv().unwrap();
        let mut accepted = 0;
        loop {
            let run = Arc::clone(&run);
            let added = handle.add_callback(move || {
                run.fetch_add(1, Ordering::SeqCst);
                IOLoop::current().stop();
            });
            match added {
                Ok(()) => accepted += 1,
                Err(LoopClosed { .. }) => break,
            }
            thread::yield_now();
        }
        owner.join().unwrap();
        drop(handle);
        assert!((1..=accepted).contains(&run.load(Ordering::SeqCst)));
        assert_eq!(Arc::strong_count(&run), 1, "what was not run was dropped");
    }
}

mod signals {
    use super::*;

    #[test]
    fn one_from_another_thread_is_reported() {
        run(async {
            let mut signals = Signals::new([SIGUSR1]).unwrap();
            let other = thread::spawn(|| signal_hook::low_level::raise(SIGUSR1).unwrap());
            assert_eq!(signals.next().await, Some(SIGUSR1));
            other.join().unwrap();
        });
    }

    #[test]
    fn a_signal_of_the_same_thread_is_reported_once_to_each_stream() {
        run(async {
            let mut one = Signals::new([SIGUSR2]).unwrap();
            let mut other = Signals::new([SIGUSR2]).unwrap();
            for _ in 0..3 {
                signal_hook::low_level::raise(SIGUSR2).unwrap();
            }
            assert_eq!(one.next().await, Some(SIGUSR2));
            assert_eq!(poll_once(one.next()).await, None);
            assert_eq!(other.next().await, Some(SIGUSR2));

            drop(one);
            signal_hook::low_level::raise(SIGUSR2).unwrap();
            assert_eq!(other.next().await, Some(SIGUSR2));
        });
    }

    #[test]
    fn more_than_a_pipe_holds_do_no_harm() {
        use signal_hook::consts::SIGWINCH;

        run(async {
            let mut signals = Signals::new([SIGWINCH]).unwrap();
            for _ in 0..10_000 {
                signal_hook::low_level::raise(SIGWINCH).unwrap();
            }
            assert_eq!(signals.next().await, Some(SIGWINCH));
            assert_eq!(poll_once(signals.next()).await, None);
            signal_hook::low_level::raise(SIGWINCH).unwrap();
            assert_eq!(signals.next().await, Some(SIGWINCH));
        });
    }

    #[test]
    fn signals_that_cannot_be_handled_are_refused() {
        for signal in [signal_hook::consts::SIGKILL, signal_hook::consts::SIGSEGV, 12345, -1] {
            assert!(Signals::new([signal]).is_err(), "signal {signal}");
        }
    }
}

mod timeouts {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn timeouts_run_in_order_when_due_and_not_after_their_removal() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let journal = Journal::default();
        let note = |name| {
            let journal = journal.clone();
            move || journal.note(name)
        };
        let begin = io_loop.time();
        io_loop.call_later(3 * SECOND, note("third"));
        io_loop.call_at(begin + SECOND, note("first"));
        let later = io_loop.call_later(SECOND, note("removed"));
        let at = io_loop.call_at(begin + 2 * SECOND, note("removed"));
        io_loop.call_later(2 * SECOND, note("second"));
        io_loop.remove_timeout(later);
        io_loop.remove_timeout(at);
        io_loop.run_sync(sleep(5 * SECOND)).unwrap();
        assert_eq!(journal.take(), ["first", "second", "third"]);
        assert_eq!(io_loop.time() - begin, 5 * SECOND);
    }

    #[test]
    fn a_timeout_in_the_past_runs_at_once() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let begin = io_loop.time();
        if let Some(past) = begin.checked_sub(SECOND) {
            io_loop.call_at(past, || IOLoop::current().stop());
            start();
            assert_eq!(io_loop.time(), begin);
        }
    }

    #[test]
    fn one_can_be_removed_after_it_fired() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let fired = io_loop.call_later(SECOND, || ());
        io_loop.run_sync(sleep(2 * SECOND)).unwrap();
        // Another one may have its number by now, and must not be removed.
        let journal = Journal::default();
        let noted = journal.clone();
        io_loop.call_later(SECOND, move || noted.note("other"));
        io_loop.remove_timeout(fired);
        io_loop.run_sync(sleep(2 * SECOND)).unwrap();
        assert_eq!(journal.take(), ["other"]);
    }

    #[test]
    fn a_timeout_can_be_removed_by_another_of_the_same_turn() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let journal = Journal::default();
        let victim = Rc::new(Cell::new(None));
        let (handle, noted) = (Rc::clone(&victim), journal.clone());
        io_loop.call_later(SECOND, move || {
            noted.note("remover");
            IOLoop::current().remove_timeout(handle.take().unwrap());
        });
        let noted = journal.clone();
        victim.set(Some(io_loop.call_later(SECOND, move || noted.note("removed"))));
        io_loop.run_sync(sleep(2 * SECOND)).unwrap();
        assert_eq!(journal.take(), ["remover"]);
    }

    #[test]
    fn thousands_that_are_removed_leave_nothing_behind() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let held = Rc::new(());
        let handles: Vec<_> = (0..10_000)
            .map(|millis| {
                let held = Rc::clone(&held);
                io_loop.call_later(Duration::from_millis(millis + 1), move || drop(held))
            })
            .collect();
        for handle in handles {
            io_loop.remove_timeout(handle);
        }
        let begin = io_loop.time();
        io_loop.run_sync(yield_now()).unwrap();
        assert_eq!(io_loop.time(), begin);
        assert_eq!(Rc::strong_count(&held), 1, "the callbacks are dropped, long before their time");
    }
}

mod descriptors {
    use super::*;

    #[test]
    fn a_descriptor_cannot_be_watched_twice() {
        run(async {
            let (one, _other) = pair();
            let first = AsyncFd::new(one.as_fd()).unwrap();
            let second = AsyncFd::new(one.as_fd()).unwrap();
            assert!(poll_once(first.readable()).await.is_none());
            let refused = second.readable().await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);

            // A refused registration leaves the existing one alone.
            drop(second);
            assert!(poll_once(first.readable()).await.is_none());
            drop(first);
            let third = AsyncFd::new(one.as_fd()).unwrap();
            assert!(poll_once(third.readable()).await.is_none());
        });
    }

    #[test]
    fn one_that_was_never_watched_can_be_dropped() {
        let (one, other) = pair();
        drop(AsyncFd::new(one).unwrap());
        let _still_open = AsyncFd::new(other).unwrap().into_inner();
    }

    #[test]
    fn a_task_that_its_peer_cancels_in_the_same_turn_does_not_run() {
        run(async {
            let tasks = Rc::new(RefCell::new(Vec::new()));
            let ran = Rc::new(Cell::new(0));
            let mut peers = Vec::new();
            for _ in 0..2 {
                let (one, other) = pair();
                peers.push(other);
                let (tasks_of_all, ran) = (Rc::clone(&tasks), Rc::clone(&ran));
                let task = IOLoop::current().spawn(async move {
                    let fd = AsyncFd::new(one).unwrap();
                    fd.readable().await.unwrap();
                    ran.set(ran.get() + 1);
                    // Cancels the other task, and continues to its own end.
                    tasks_of_all.take();
                });
                tasks.borrow_mut().push(task);
            }
            // Runs until both wait.
            for _ in 0..3 {
                yield_now().await;
            }
            for peer in &mut peers {
                peer.write_all(b"x").unwrap();
            }
            while ran.get() == 0 {
                yield_now().await;
            }
            // The other one does so as well, if it runs at all.
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(ran.get(), 1);
        });
    }

    #[test]
    fn descriptors_of_any_owner_can_be_watched() {
        async fn is_readable(descriptor: impl AsFd) -> bool {
            let fd = AsyncFd::new(descriptor).unwrap();
            assert!(poll_once(fd.readable()).await.is_none_or(|readable| readable.is_ok()));
            fd.readable().await.is_ok()
        }
        run(async {
            let (one, mut other) = pair();
            other.write_all(b"x").unwrap();
            assert!(is_readable(&one).await);
            assert!(is_readable(one.as_fd()).await);
            let one = Rc::new(one);
            assert!(is_readable(Rc::clone(&one)).await);
            let one = OwnedFd::from(Rc::into_inner(one).unwrap());
            assert!(is_readable(one).await);
            assert!(other.write_all(b"x").is_err(), "the owned one was closed");
        });
    }

    #[test]
    fn one_taken_back_out_is_open_and_can_be_watched_anew() {
        run(async {
            let (one, mut other) = pair();
            let fd = AsyncFd::new(one).unwrap();
            assert!(poll_once(fd.readable()).await.is_none());
            let one = fd.into_inner();
            other.write_all(b"x").unwrap();
            let fd = AsyncFd::new(one).unwrap();
            fd.readable().await.unwrap();
        });
    }

    #[test]
    fn reading_gets_its_turn_on_an_always_writable_socket() {
        run(async {
            let (one, mut other) = pair();
            let fd = Rc::new(AsyncFd::new(one).unwrap());
            let writable = Rc::clone(&fd);
            let _writer = IOLoop::current().spawn(async move {
                loop {
                    writable.writable().await.unwrap();
                    yield_now().await;
                }
            });
            yield_now().await;
            let peer = async {
                sleep(Duration::from_millis(5)).await;
                other.write_all(b"x").unwrap();
            };
            let read = async {
                std::future::poll_fn(|cx| {
                    fd.poll_read_with(cx, |mut socket| socket.read(&mut [0; 8]), |_| false)
                })
                .await
            };
            assert_eq!(futures_lite::future::zip(read, peer).await.0.unwrap(), 1);
        });
    }
}

mod panics {
    use super::*;

    #[test]
    fn a_task_returns_its_output_to_its_awaiter() {
        run(async {
            let task = IOLoop::current().spawn(async { panic!("of a task") });
            let error = task.await.unwrap_err();
            assert!(error.is_panic());
            assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"of a task"));
        });
    }
}

mod run_sync {
    use super::*;

    #[test]
    fn returns_the_value() {
        assert_eq!(IOLoop::current().run_sync(async { 42 }).unwrap(), 42);
        let later = async {
            yield_now().await;
            sleep(Duration::from_millis(1)).await;
            42
        };
        assert_eq!(IOLoop::current().run_sync(later).unwrap(), 42);
    }

    #[test]
    #[should_panic(expected = "of the future")]
    fn passes_a_panic_on() {
        let later = async {
            yield_now().await;
            panic!("of the future");
        };
        let _: io::Result<()> = IOLoop::current().run_sync(later);
    }

    #[test]
    fn can_be_limited_in_time() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let never = timeout(Duration::from_secs(1), std::future::pending::<()>());
        let begin = io_loop.time();
        assert!(io_loop.run_sync(never).unwrap().is_err());
        assert_eq!(io_loop.time() - begin, Duration::from_secs(1));
    }

    #[test]
    fn fails_if_the_loop_is_stopped_before_the_end() {
        let io_loop = IOLoop::current();
        let stopped = io_loop.run_sync(async {
            IOLoop::current().stop();
            std::future::pending::<()>().await;
        });
        assert!(stopped.is_err());
        assert_eq!(io_loop.run_sync(async { "goes on" }).unwrap(), "goes on");
    }
}

mod executor {
    use super::*;

    #[test]
    fn runs_elsewhere_and_gives_the_result_to_the_thread_of_the_loop() {
        run(async {
            let here = thread::current().id();
            let not_send = Rc::new(());
            let there = IOLoop::current().run_in_executor(|| thread::current().id()).await.unwrap();
            assert_ne!(there, here);
            assert_eq!(thread::current().id(), here);
            drop(not_send);
        });
    }

    #[test]
    fn a_panic_resumes_in_the_awaiter() {
        run(async {
            let task = IOLoop::current().spawn(async {
                let _ = IOLoop::current().run_in_executor(|| panic!("of the job")).await;
            });
            let panic = task.await.unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the job"));
        });
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "nothing tells when the loop has gone to sleep")]
    fn a_job_holds_the_virtual_clock_until_it_is_done() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let (finish, finished) = mpsc::channel();
        let job = io_loop.run_in_executor(move || finished.recv().unwrap());
        let begin = io_loop.time();
        let timer = io_loop.call_later(Duration::from_secs(1), || ());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            finish.send("done").unwrap();
        });
        let result = io_loop.run_sync(async {
            let result = job.await;
            IOLoop::current().remove_timeout(timer);
            result
        });
        assert_eq!(result.unwrap().unwrap(), "done");
        assert_eq!(io_loop.time(), begin);

        // A job that no task awaits yet lets the clock move when it is done, too.
        let job = io_loop.run_in_executor(|| "later");
        let awaited_late = async {
            sleep(Duration::from_secs(1)).await;
            job.await
        };
        assert_eq!(io_loop.run_sync(awaited_late).unwrap().unwrap(), "later");
    }
}
