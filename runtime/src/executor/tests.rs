//! Tasks, and other threads that wake them.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use super::*;
use crate::testing::{logged, on_thread, run, waker_of};
use crate::{AsyncFd, Deadline, IOLoop, Task, sleep, yield_now};

/// Reports the thread on which it is dropped.
struct DropsAt(mpsc::Sender<thread::ThreadId>);

impl Drop for DropsAt {
    fn drop(&mut self) {
        let _no_receiver = self.0.send(thread::current().id());
    }
}

/// A task that passes on its waker and keeps `guard` for ever.
fn spawn_pending<G: 'static>(guard: G) -> (Task<()>, mpsc::Receiver<Waker>) {
    let (sender, receiver) = mpsc::channel();
    let task = IOLoop::current().spawn(async move {
        let _guard = guard;
        poll_fn(|cx| {
            let _no_receiver = sender.send(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    });
    (task, receiver)
}

#[test]
fn a_task_that_another_thread_wakes_runs_on_its_own_thread() {
    run(async {
        let (sender, wakers) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || wakers.recv().unwrap().wake());
        let mut polled_at = Vec::new();
        poll_fn(|cx| {
            polled_at.push(thread::current().id());
            let _second = sender.send(cx.waker().clone());
            if polled_at.len() == 2 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        other.join().unwrap();
        assert_eq!(polled_at, [thread::current().id(); 2]);
    });
}

#[test]
fn wakes_by_other_threads_are_never_missed() {
    const WAKES: usize = 2000;
    run(async {
        let handle = IOLoop::current().handle();
        let arrived = Arc::new(AtomicUsize::new(0));
        let (seen, sent) = (Arc::clone(&arrived), Arc::new(Mutex::new(())));
        let other = thread::spawn(move || {
            for wake in 0..WAKES {
                let arrived = Arc::clone(&arrived);
                let sent = Arc::clone(&sent);
                handle
                    .add_callback(move || {
                        let _lock = sent.lock().unwrap();
                        arrived.fetch_add(1, Ordering::SeqCst);
                    })
                    .unwrap();
                // The loop is sometimes asleep by the next message, and sometimes not.
                for _ in 0..wake % 64 * 200 {
                    std::hint::spin_loop();
                }
            }
        });
        while seen.load(Ordering::SeqCst) < WAKES {
            sleep(Duration::from_millis(1)).await;
        }
        other.join().unwrap();
    });
}

#[test]
fn dropping_the_last_waker_on_another_thread_drops_nothing_there() {
    let (sender, dropped_at) = mpsc::channel();
    let home = thread::spawn(move || {
        let (task, wakers) = spawn_pending(DropsAt(sender));
        task.detach();
        run(yield_now());
        let waker = wakers.recv().unwrap();
        thread::spawn(move || drop(waker)).join().unwrap();
        run(yield_now());
        thread::current().id()
    });
    assert_eq!(home.join().unwrap(), dropped_at.recv().unwrap());
}

#[test]
fn a_cancelled_task_is_dropped_by_the_next_turn_wherever_the_handle_was() {
    let (sender, dropped_at) = mpsc::channel();
    let (task, _wakers) = spawn_pending(DropsAt(sender));
    run(yield_now());
    assert!(dropped_at.try_recv().is_err());
    drop(task);
    run(yield_now());
    assert_eq!(dropped_at.try_recv().unwrap(), thread::current().id());

    let (sender, dropped_at) = mpsc::channel();
    let (task, _wakers) = spawn_pending(DropsAt(sender));
    run(yield_now());
    thread::spawn(move || drop(task)).join().unwrap();
    run(yield_now());
    assert_eq!(dropped_at.try_recv().unwrap(), thread::current().id());
}

#[test]
fn tasks_are_dropped_on_their_thread_when_it_ends() {
    let (sender, dropped_at) = mpsc::channel();
    let home = thread::spawn(move || {
        // Tasks that have run, were woken, have never run, and are nested in another.
        let (pending, wakers) = spawn_pending(DropsAt(sender.clone()));
        let (woken, wakers_of_woken) = spawn_pending(DropsAt(sender.clone()));
        run(yield_now());
        wakers_of_woken.recv().unwrap().wake();
        let (new, _) = spawn_pending((DropsAt(sender.clone()), woken));
        new.detach();
        pending.detach();
        // Wakers that outlive the loop.
        drop(thread::spawn(move || wakers.recv().unwrap().wake()).join());
        thread::current().id()
    });
    let home = home.join().unwrap();
    let dropped_at: Vec<_> = dropped_at.iter().collect();
    assert_eq!(dropped_at, [home; 3]);
}

#[test]
fn a_wake_after_the_loop_has_ended_does_nothing() {
    let (waker, handle) = thread::spawn(|| {
        let (task, wakers) = spawn_pending(());
        task.detach();
        run(yield_now());
        (wakers.recv().unwrap(), IOLoop::current().handle())
    })
    .join()
    .unwrap();
    waker.wake_by_ref();
    drop(waker.clone());
    waker.wake();
    assert!(handle.add_callback(|| panic!("the loop is gone")).is_err());
}

#[test]
fn a_loop_may_end_while_other_threads_wake_its_tasks() {
    for _ in 0..50 {
        let (sender, dropped_at) = mpsc::channel();
        let (waker_sender, wakers) = mpsc::channel::<Waker>();
        let ended = Arc::new(AtomicBool::new(false));
        let others_end = Arc::clone(&ended);
        let other = thread::spawn(move || {
            let wakers: Vec<Waker> = wakers.iter().collect();
            while !others_end.load(Ordering::SeqCst) {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
        });
        let home = thread::spawn(move || {
            let guards = (0..20).map(|_| spawn_pending(DropsAt(sender.clone())));
            let tasks: Vec<_> = guards.collect();
            run(yield_now());
            for (task, wakers) in tasks {
                task.detach();
                waker_sender.send(wakers.recv().unwrap()).unwrap();
            }
            drop(waker_sender);
            run(sleep(Duration::from_millis(1)));
            thread::current().id()
        });
        let home = home.join().unwrap();
        ended.store(true, Ordering::SeqCst);
        other.join().unwrap();
        assert_eq!(dropped_at.iter().collect::<Vec<_>>(), [home; 20]);
    }
}

#[test]
fn a_waker_in_a_thread_local_may_outlive_the_loop() {
    struct WakesAtTheEnd(RefCell<Vec<Waker>>);

    impl Drop for WakesAtTheEnd {
        fn drop(&mut self) {
            for waker in self.0.take() {
                waker.wake_by_ref();
                drop(waker);
            }
        }
    }

    thread_local! {
        static BEFORE: WakesAtTheEnd = const { WakesAtTheEnd(RefCell::new(Vec::new())) };
        static AFTER: WakesAtTheEnd = const { WakesAtTheEnd(RefCell::new(Vec::new())) };
    }

    on_thread("loop", || {
        // Destroyed after the loop, because it was made earlier.
        BEFORE.with(|wakers| assert!(wakers.0.borrow().is_empty()));
        let (task, wakers) = spawn_pending(());
        task.detach();
        run(yield_now());
        let waker = wakers.recv().unwrap();
        BEFORE.with(|wakers| wakers.0.borrow_mut().push(waker.clone()));
        AFTER.with(|wakers| wakers.0.borrow_mut().push(waker));
    });
}

#[test]
fn a_future_spawned_after_the_end_of_the_loop_is_dropped() {
    struct SpawnsAtTheEnd(Cell<Option<(IOLoop, DropsAt)>>);

    impl Drop for SpawnsAtTheEnd {
        fn drop(&mut self) {
            if let Some((io_loop, guard)) = self.0.take() {
                io_loop.spawn_callback(async move { drop(guard) });
            }
        }
    }

    thread_local! {
        static AT_THE_END: SpawnsAtTheEnd = const { SpawnsAtTheEnd(Cell::new(None)) };
    }

    let (sender, dropped_at) = mpsc::channel();
    let home = thread::spawn(move || {
        // Destroyed after the loop, because it is made earlier.
        AT_THE_END.with(|at_the_end| at_the_end.0.take());
        let io_loop = IOLoop::current();
        AT_THE_END.with(|at_the_end| at_the_end.0.set(Some((io_loop, DropsAt(sender)))));
        thread::current().id()
    });
    assert_eq!(home.join().unwrap(), dropped_at.try_recv().unwrap());
}

#[test]
fn values_owned_by_tasks_can_be_dropped_at_the_end_of_the_thread() {
    let far = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&far);
    on_thread("loop", || {
        let (reader, writer) = std::io::pipe().unwrap();
        kept.lock().unwrap().replace(writer);
        let io_loop = IOLoop::current();
        io_loop.spawn_callback(async move {
            let reader = AsyncFd::new(reader).unwrap();
            let deadline = Deadline::new();
            deadline.set(IOLoop::current().time() + Duration::from_secs(60));
            let _nap = IOLoop::current().spawn(sleep(Duration::from_secs(60)));
            let _later = IOLoop::current().call_later(Duration::from_secs(60), || ());
            struct SpawnsAtTheEnd;
            impl Drop for SpawnsAtTheEnd {
                fn drop(&mut self) {
                    IOLoop::current().spawn(pending::<()>()).detach();
                    IOLoop::current().add_callback(|| panic!("it is too late for that"));
                }
            }
            let _spawns = SpawnsAtTheEnd;
            reader.readable().await.unwrap();
        });
        run(sleep(Duration::from_millis(2)));
    });
    let mut writer = far.lock().unwrap().take().unwrap();
    let error = std::io::Write::write(&mut writer, b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "the reader is closed");
}

#[test]
fn tasks_run_in_the_order_in_which_they_were_woken_and_once_per_turn() {
    let order = Rc::new(RefCell::new(Vec::new()));
    for name in ["a", "b", "c"] {
        let order = Rc::clone(&order);
        IOLoop::current().spawn_callback(async move {
            for _ in 0..2 {
                order.borrow_mut().push(name);
                yield_now().await;
            }
        });
    }
    run(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    assert_eq!(order.borrow().concat(), "abcabc");
}

#[test]
fn finished_tasks_free_their_memory() {
    on_thread("loop", || {
        run(async {
            for _ in 0..1000 {
                IOLoop::current().spawn(async {}).await.unwrap();
            }
        });
        LOCAL.with(|local| {
            assert!(local.tasks.borrow().is_empty());
            assert!(local.tasks.borrow().end() < 3, "places are used again");
        });
    });
}

#[test]
fn a_task_costs_little_more_than_its_future() {
    assert_eq!(Slab::<Waker>::new().slot_size(), 16);
}

#[test]
fn a_waker_that_is_kept_wakes_its_own_task_and_no_other() {
    on_thread("loop", || {
        let spawn_keeping = |keeps: bool| {
            let kept = Rc::new(Cell::new(None));
            let polls = Rc::new(Cell::new(0));
            let (place, count) = (Rc::clone(&kept), Rc::clone(&polls));
            IOLoop::current().spawn_callback(poll_fn(move |cx| {
                count.set(count.get() + 1);
                place.set(keeps.then(|| cx.waker().clone()));
                Poll::<()>::Pending
            }));
            (kept, polls)
        };
        let tasks = [true, false, true, false].map(spawn_keeping);
        let polls = || tasks.each_ref().map(|(_, polls)| polls.get());
        run(yield_now());
        assert_eq!(polls(), [1, 1, 1, 1]);
        // On its own thread and on another one, again and again.
        for round in 1..=3 {
            tasks[0].0.take().unwrap().wake();
            let waker = tasks[2].0.take().unwrap();
            thread::spawn(move || waker.wake()).join().unwrap();
            run(yield_now());
            run(yield_now());
            assert_eq!(polls(), [1 + round, 1, 1 + round, 1]);
        }
    });
}

#[test]
fn a_task_that_ends_while_it_is_woken_does_not_disturb_the_next_one_with_its_number() {
    on_thread("loop", || {
        let io_loop = IOLoop::current();
        io_loop.spawn_callback(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        }));
        run(yield_now());
        let polls = Rc::new(Cell::new(0));
        let count = Rc::clone(&polls);
        io_loop.spawn_callback(poll_fn(move |_| {
            count.set(count.get() + 1);
            Poll::<()>::Pending
        }));
        run(yield_now());
        run(yield_now());
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn a_task_that_panics_ends_and_so_does_one_whose_destructor_panics() {
    struct PanicsTwice;

    impl Drop for PanicsTwice {
        fn drop(&mut self) {
            std::panic::panic_any(DropsBadly);
        }
    }

    struct DropsBadly;

    impl Drop for DropsBadly {
        fn drop(&mut self) {
            panic!("the payload as well");
        }
    }

    on_thread("loop", || {
        let io_loop = IOLoop::current();
        io_loop.spawn_callback(async { panic!("detached") });
        io_loop.spawn_callback(async { drop(PanicsTwice) });
        let guard = PanicsTwice;
        let task = io_loop.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        run(yield_now());
        drop(task);
        run(yield_now());
        LOCAL.with(|local| assert!(local.tasks.borrow().is_empty()));
    });
}

#[test]
fn a_log_line_names_the_task_with_the_panicking_destructor_and_not_the_one_that_cancelled_it() {
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in the destructor");
        }
    }

    let io_loop = IOLoop::current();
    io_loop.slow_callback(None);
    let guard = PanicsWhenDropped;
    let line = line!() + 1;
    let task = io_loop.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    io_loop.run_sync(yield_now()).unwrap();
    let lines = logged(|| {
        io_loop.add_callback(move || drop(task));
        run(async {
            yield_now().await;
            yield_now().await;
        });
    });
    let expected = format!("a task spawned at {}:{line}:24 panicked: in the destructor", file!());
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let start = format!("ERROR squall::application: {expected}, at {}:", file!());
    assert!(line.starts_with(&start), "{line}");
}

#[test]
fn a_foreign_waker_that_panics_neither_ends_the_loop_nor_aborts_the_process() {
    let panicking = waker_of(|| panic!("of a foreign waker"));
    let io_loop = IOLoop::current();
    let (mut done, cancelled) = (io_loop.spawn(async { "done" }), io_loop.spawn(pending::<()>()));
    let mut cancelled = Box::pin(cancelled.cancel());
    let cx = &mut Context::from_waker(&panicking);
    let mut nap = std::pin::pin!(sleep(Duration::from_millis(1)));
    assert!(std::pin::Pin::new(&mut done).poll(cx).is_pending());
    assert!(cancelled.as_mut().poll(cx).is_pending());
    assert!(nap.as_mut().poll(cx).is_pending());
    let lines = logged(|| run(sleep(Duration::from_millis(5))));
    let panics = lines.iter().filter(|line| line.contains("a waker")).count();
    assert_eq!(panics, 3, "{lines:?}");
    assert_eq!(run(done).unwrap(), "done");
}

#[test]
fn the_count_of_turns_is_not_disturbed_by_a_task_that_wakes_itself() {
    let polls = Rc::new(Cell::new(0));
    let count = Rc::clone(&polls);
    let task = IOLoop::current().spawn(poll_fn(move |cx| {
        count.set(count.get() + 1);
        // Waking twice has the effect of waking once.
        cx.waker().wake_by_ref();
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    run(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    drop(task);
    assert!((9..=11).contains(&polls.get()), "polled {} times in ten turns", polls.get());
}

#[test]
fn a_panic_of_an_after_poll_function_stops_neither_the_loop_nor_other_tasks() {
    let io_loop = IOLoop::current();
    io_loop.slow_callback(None);
    let ran = Rc::new(Cell::new(0));
    io_loop.add_callback(|| IOLoop::after_poll(|_| panic!("in what is called after the task")));
    for _ in 0..3 {
        let count = Rc::clone(&ran);
        io_loop.add_callback(move || count.set(count.get() + 1));
    }
    let lines = logged(|| io_loop.run_sync(yield_now()).unwrap());
    assert_eq!(ran.get(), 3);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("`IOLoop::after_poll` by a task spawned at "), "{lines:?}");
}

#[test]
fn awaiting_a_task_ends_even_if_its_destructors_panic() {
    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("in the destructor of what it panicked with");
        }
    }

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            std::panic::panic_any(Payload);
        }
    }

    let (sender, handles) = mpsc::channel();
    on_thread("ends", || {
        let (task, _waker) = spawn_pending(PanicsWhenDropped);
        run(yield_now());
        sender.send(task).unwrap();
    });
    assert!(handles.recv().unwrap().is_finished());
}

#[test]
fn a_loop_frees_everything_at_the_end_of_its_thread() {
    thread_local! {
        // Made before the loop, so it is destroyed after it.
        static LEFT: Look = const { Look };
    }

    struct Look;

    impl Drop for Look {
        fn drop(&mut self) {
            let left = LOCAL.with(|local| {
                let sites = local.sites.borrow().capacity();
                let foreign = local.foreign.borrow().end();
                (sites, foreign)
            });
            LEFT_BEHIND.lock().unwrap().push(left);
        }
    }

    static LEFT_BEHIND: Mutex<Vec<(usize, u32)>> = Mutex::new(Vec::new());

    on_thread("ends", || {
        LEFT.with(|_| ());
        IOLoop::current().add_callback(|| ());
        run(sleep(Duration::from_millis(1)));
    });
    assert_eq!(*LEFT_BEHIND.lock().unwrap(), [(0, 0)]);
}

#[test]
fn a_task_that_reuses_the_number_of_one_that_woke_itself_keeps_its_turn() {
    run(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let note = |name: &'static str| {
            let log = Rc::clone(&log);
            move || log.borrow_mut().push(name)
        };
        let io_loop = IOLoop::current();
        // Both end. The first one is in the queue once more then.
        let (in_queue, plain) = (io_loop.spawn(yield_and_end()), io_loop.spawn(async {}));
        let (first, second, third) = (note("first"), note("second"), note("third"));
        io_loop.add_callback(move || {
            let io_loop = IOLoop::current();
            io_loop.add_callback(first);
            io_loop.add_callback(second);
            io_loop.add_callback(third);
        });
        for _ in 0..4 {
            yield_now().await;
        }
        drop((in_queue, plain));
        assert_eq!(*log.borrow(), ["first", "second", "third"]);
    });
}

#[test]
fn a_task_never_runs_in_the_turn_that_spawned_it() {
    run(async {
        let io_loop = IOLoop::current();
        let ran = Rc::new(Cell::new(false));
        let (seen, set) = (Rc::new(Cell::new(None)), Rc::clone(&ran));
        let is_seen = Rc::clone(&seen);
        // The next turn begins with this task, which reuses the number of an ended task in the
        // queue.
        let spawner = io_loop.spawn(async move {
            yield_now().await;
            IOLoop::current().add_callback(move || set.set(true));
        });
        let ended = io_loop.spawn(yield_and_end());
        io_loop.spawn_callback(async move {
            yield_now().await;
            is_seen.set(Some(ran.get()));
        });
        spawner.await.unwrap();
        ended.await.unwrap();
        while seen.get().is_none() {
            yield_now().await;
        }
        assert_eq!(seen.get(), Some(false));
    });
}

/// Ends although it has woken itself.
async fn yield_and_end() {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    })
    .await;
}

#[test]
fn callbacks_from_other_threads_run_in_batches_between_timers_and_tasks() {
    const CALLBACKS: usize = 20 * MESSAGES as usize;
    on_thread("loop", || {
        let called = Arc::new(AtomicUsize::new(0));
        let (count, handle) = (Arc::clone(&called), IOLoop::current().handle());
        thread::spawn(move || {
            for _ in 0..CALLBACKS {
                let count = Arc::clone(&count);
                handle.add_callback(move || _ = count.fetch_add(1, Ordering::SeqCst)).unwrap();
            }
        })
        .join()
        .unwrap();
        run(async {
            let mut turns = 0;
            let mut before = 0;
            while before < CALLBACKS {
                yield_now().await;
                turns += 1;
                let now = called.load(Ordering::SeqCst);
                assert!(now - before <= 2 * MESSAGES as usize, "{} at once", now - before);
                before = now;
            }
            assert!(turns >= 10, "{turns} turns");
        });
    });
}

/// Runs a thread that ends. The destructor of a task calls `at_the_end`.
fn at_the_end_of_a_thread(at_the_end: impl FnOnce() + Send + 'static) {
    struct CallsWhenDropped<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for CallsWhenDropped<F> {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|call| call());
        }
    }

    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        // Sent when all destructors of this thread have run.
        let reports = CallsWhenDropped(Some(move || ended.send(()).unwrap()));
        let (task, _wakers) = spawn_pending((CallsWhenDropped(Some(at_the_end)), reports));
        task.detach();
        run(yield_now());
    });
    end.recv_timeout(Duration::from_secs(60)).expect("the thread ends");
}

#[test]
fn a_loop_that_ends_does_not_run_once_more_in_a_destructor() {
    let (sender, results) = mpsc::channel();
    at_the_end_of_a_thread(move || {
        let io_loop = IOLoop::current();
        let job = io_loop.run_in_executor(|| 1);
        sender.send(io_loop.run_sync(job).map(drop)).unwrap();
        sender.send(io_loop.run_sync(yield_now())).unwrap();
        sender.send(io_loop.start()).unwrap();
    });
    for result in results {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("ends with its thread"), "{error}");
    }
}

#[test]
fn at_the_end_of_a_thread_a_destructor_may_spawn_a_task_of_its_own_type() {
    /// Each value spawns another one in its destructor, in these ways.
    struct Spawns(fn(&IOLoop, Self), Arc<AtomicUsize>);

    impl Drop for Spawns {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            let io_loop = IOLoop::current();
            for _ in 0..3 {
                (self.0)(&io_loop, Self(self.0, Arc::clone(&self.1)));
            }
        }
    }

    let ways: [fn(&IOLoop, Spawns); 5] = [
        |io_loop, spawns| io_loop.spawn(async move { drop(spawns) }).detach(),
        |io_loop, spawns| io_loop.add_callback(move || drop(spawns)),
        |io_loop, spawns| {
            let handle = io_loop.handle();
            let _closed = handle.add_callback(move || drop(spawns));
        },
        |io_loop, spawns| drop(io_loop.call_later(Duration::ZERO, move || drop(spawns))),
        |io_loop, spawns| drop(io_loop.run_sync(async move { drop(spawns) })),
    ];
    for way in ways {
        let drops = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&drops);
        at_the_end_of_a_thread(move || drop(Spawns(way, count)));
        let drops = drops.load(Ordering::SeqCst);
        assert!((10..10_000).contains(&drops), "{drops}");
    }
}

#[test]
fn a_panic_in_the_destructor_of_a_callback_does_not_keep_a_thread_from_ending() {
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in the destructor of a callback");
        }
    }

    let (sender, handles) = mpsc::channel();
    on_thread("loop", || {
        let io_loop = IOLoop::current();
        let guard = PanicsWhenDropped;
        io_loop.handle().add_callback(move || drop(guard)).unwrap();
        sender.send(io_loop.handle()).unwrap();
    });
    let guard = PanicsWhenDropped;
    assert!(handles.recv().unwrap().add_callback(move || drop(guard)).is_err());
}
