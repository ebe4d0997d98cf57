//! The clock, and tasks that wait for it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future::{poll_once, zip};

use super::*;
use crate::testing::{on_thread, run};
use crate::{IOLoop, yield_now};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_sleep_never_ends_early() {
    for micros in [0, 1, 999, 1000, 1001, 2500] {
        let duration = Duration::from_micros(micros);
        // Somewhere inside a tick.
        let begin = Instant::now();
        run(sleep(duration));
        assert!(begin.elapsed() >= duration, "{duration:?} took {:?}", begin.elapsed());
    }
}

#[test]
fn a_sleep_counts_from_its_call_and_not_from_the_beginning_of_the_turn() {
    run(async {
        yield_now().await;
        // Makes the turn take long.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(10) {}
        let called = Instant::now();
        sleep(Duration::from_millis(5)).await;
        assert!(called.elapsed() >= Duration::from_millis(5));
    });
}

#[test]
fn a_long_turn_does_not_delay_a_timer_by_its_length() {
    let deadline = Deadline::new();
    read_clock();
    let begin = now();
    deadline.set(begin + Duration::from_millis(60));
    while begin.elapsed() < Duration::from_millis(40) {}
    assert!(sleep_limit() < Duration::from_millis(22));
}

#[test]
fn sleeps_end_in_the_order_of_their_times() {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    let order = Rc::new(RefCell::new(Vec::new()));
    for millis in [30, 10, 7000, 20, 10] {
        let order = Rc::clone(&order);
        io_loop.spawn_callback(async move {
            sleep(Duration::from_millis(millis)).await;
            order.borrow_mut().push(millis);
        });
    }
    run(sleep(Duration::from_secs(8)));
    assert_eq!(*order.borrow(), [10, 10, 20, 30, 7000]);
}

#[test]
fn sleeping_for_no_time_again_and_again_lets_the_others_run() {
    run(async {
        let _forever = IOLoop::current().spawn(async {
            loop {
                sleep(Duration::ZERO).await;
            }
        });
        sleep(Duration::from_millis(5)).await;
    });
}

#[test]
fn a_sleep_beyond_the_range_of_the_clock_never_ends() {
    IOLoop::current().use_virtual_time();
    let nap = run(async {
        let mut nap = sleep(Duration::MAX);
        assert!(poll_once(&mut nap).await.is_none());
        sleep(Duration::from_secs(100 * 365 * 24 * 3600)).await;
        poll_once(nap).await
    });
    assert!(nap.is_none());
}

#[test]
fn waking_the_future_does_not_move_its_time_out() {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    let begin = io_loop.time();
    let ended: Result<(), TimedOut> = run(timeout(SECOND, async {
        loop {
            sleep(Duration::from_millis(7)).await;
        }
    }));
    assert!(ended.is_err());
    assert_eq!(io_loop.time() - begin, SECOND);
}

#[test]
fn a_future_that_is_ready_at_once_is_not_timed_out_and_needs_no_timer() {
    run(async {
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
    });
    TIMERS.with(|timers| assert_eq!(timers.wheel.borrow().end(), 0));
}

#[test]
fn a_deadline_may_move_both_ways_while_a_task_waits_for_it() {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    let begin = io_loop.time();
    let deadline = Rc::new(Deadline::new());
    let expired = io_loop.spawn({
        let deadline = Rc::clone(&deadline);
        async move {
            poll_fn(|cx| deadline.poll_expired(cx)).await;
            IOLoop::current().time()
        }
    });
    let expired = run(async {
        yield_now().await;
        // Set after the task waits, then later, cleared, and earlier.
        deadline.set(begin + SECOND);
        sleep(SECOND / 2).await;
        deadline.set(begin + 60 * SECOND);
        sleep(2 * SECOND).await;
        deadline.clear();
        sleep(100 * SECOND).await;
        deadline.set(begin + 900 * SECOND);
        sleep(SECOND).await;
        deadline.set(begin + 200 * SECOND);
        expired.await.unwrap()
    });
    assert_eq!(expired - begin, 200 * SECOND);
}

#[test]
fn a_deadline_that_has_passed_expires_at_once() {
    let io_loop = IOLoop::current();
    let deadline = Deadline::new();
    deadline.set(io_loop.time().checked_sub(SECOND).unwrap());
    run(async { assert!(poll_once(poll_fn(|cx| deadline.poll_expired(cx))).await.is_some()) });
    deadline.set(io_loop.time() + 3600 * SECOND);
    run(async { assert!(poll_once(poll_fn(|cx| deadline.poll_expired(cx))).await.is_none()) });
}

#[test]
fn a_dropped_deadline_wakes_no_task_and_leaves_no_timer() {
    on_thread("deadlines", || {
        for _ in 0..3 {
            let deadlines: Vec<Deadline> = (0..1000).map(|_| Deadline::new()).collect();
            let cx = &mut Context::from_waker(Waker::noop());
            for deadline in &deadlines {
                deadline.set(now() + SECOND);
                assert_eq!(deadline.poll_expired(cx), Poll::Pending);
            }
        }
        TIMERS.with(|timers| assert_eq!(timers.wheel.borrow().end(), 1000));
        assert_eq!(sleep_limit(), FOREVER);
    });
}

/// A waker that uses the timers when it is dropped.
struct Meddler;

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let deadline = Deadline::new();
        deadline.set(now() + SECOND);
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(deadline.poll_expired(cx), Poll::Pending);
    }
}

#[test]
fn a_waker_may_use_timers_when_it_is_woken_replaced_or_dropped() {
    let deadline = Deadline::new();
    let wait = || {
        let waker = Waker::from(Arc::new(Meddler));
        deadline.poll_expired(&mut Context::from_waker(&waker)).is_pending()
    };
    deadline.set(now() + SECOND);
    assert!(wait());
    // Replaced, woken, and dropped with its timer.
    assert!(wait());
    use_virtual_time();
    advance(2 * SECOND);
    begin_turn();
    deadline.set(now() + SECOND);
    assert!(wait());
    drop(deadline);
}

#[test]
fn an_idle_connection_takes_little_memory() {
    assert_eq!((size_of::<Deadline>(), size_of::<Sleep>()), (4, 16));
}

mod virtual_time {
    use std::io::Write as _;

    use super::*;
    use crate::{AsyncFd, reactor};

    #[test]
    fn passes_only_by_timers_and_by_advance() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let begin = io_loop.time();
        run(async {
            for _ in 0..100 {
                yield_now().await;
            }
            assert_eq!(io_loop.time(), begin);
            io_loop.advance(SECOND);
            assert_eq!(io_loop.time() - begin, SECOND);
            sleep(SECOND).await;
            assert_eq!(io_loop.time() - begin, 2 * SECOND);
        });
    }

    #[test]
    fn a_timer_that_is_due_after_an_advance_fires_in_the_next_turn() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        run(async {
            let nap = io_loop.spawn(sleep(10 * SECOND));
            yield_now().await;
            io_loop.advance(10 * SECOND);
            let begin = io_loop.time();
            nap.await.unwrap();
            assert_eq!(io_loop.time(), begin);
        });
    }

    #[test]
    fn does_not_pass_while_a_descriptor_is_ready() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let begin = io_loop.time();
        run(async {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let reader = AsyncFd::new(reader).unwrap();
            let read = async {
                reader.readable().await.unwrap();
                io_loop.time()
            };
            let write = async {
                yield_now().await;
                writer.write_all(b"x").unwrap();
                sleep(SECOND).await;
                io_loop.time()
            };
            let (read, written) = zip(read, write).await;
            assert_eq!((read - begin, written - begin), (Duration::ZERO, SECOND));
        });
    }

    #[test]
    fn does_not_pass_while_a_job_on_another_thread_holds_it() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let begin = io_loop.time();
        let done = run(async {
            let nap = io_loop.spawn(sleep(SECOND));
            let job = || {
                let end = Instant::now() + Duration::from_millis(20);
                while Instant::now() < end {
                    std::thread::yield_now();
                }
            };
            io_loop.run_in_executor(job).await.unwrap();
            let done = io_loop.time();
            nap.await.unwrap();
            done
        });
        assert_eq!((done - begin, io_loop.time() - begin), (Duration::ZERO, SECOND));
    }

    #[test]
    fn does_not_jump_to_a_deadline_that_was_cleared() {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let begin = io_loop.time();
        let deadline = Deadline::new();
        deadline.set(begin + SECOND);
        deadline.clear();
        run(async {
            sleep(60 * SECOND).await;
        });
        reactor::settle();
        assert_eq!(io_loop.time() - begin, 60 * SECOND);
        assert!(!jump(), "no timer is left");
        assert_eq!(io_loop.time() - begin, 60 * SECOND);
    }

    #[test]
    #[should_panic(expected = "needs `IOLoop::use_virtual_time`")]
    fn is_needed_to_advance_the_clock() {
        IOLoop::current().advance(SECOND);
    }
}

#[test]
fn a_delay_before_the_first_turn_counts_from_when_it_was_set() {
    on_thread("no turn yet", || {
        let (moment, deadline) = (Moment::after(60 * SECOND), Deadline::new());
        deadline.set_after(60 * SECOND);
        run(async {
            yield_now().await;
            assert!(!moment.has_come());
            assert!(poll_once(poll_fn(|cx| deadline.poll_expired(cx))).await.is_none());
        });
    });
}

#[test]
fn a_moment_arrives_with_a_deadline_set_to_it() {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    io_loop.advance(Duration::from_micros(1300));
    let deadline = Deadline::new();
    let moment = Moment::after(Duration::from_micros(5500));
    deadline.set_at(moment);
    run(poll_fn(|cx| {
        let expired = deadline.poll_expired(cx);
        assert!(expired.is_pending() || moment.has_come(), "expired early");
        expired
    }));
    assert_eq!(size_of::<Option<Moment>>(), 8);
}

#[test]
fn a_long_sleep_ends_in_time_after_an_unmeasured_delay_of_the_loop() {
    on_thread("loop", || {
        IOLoop::current().slow_callback(None);
        let deadline = Deadline::new();
        read_clock();
        let begin = now();
        deadline.set(begin + 60 * SECOND);
        while begin.elapsed() < Duration::from_millis(40) {}
        // The wheel has work somewhat before the timer is due.
        let next = TIMERS.with(|timers| timers.next.get()) - nanos();
        let left = Duration::from_nanos(next) - Duration::from_millis(40);
        assert!(left > SECOND && sleep_limit() <= left, "{:?} of {left:?}", sleep_limit());
    });
}

#[test]
fn an_unset_deadline_does_not_expire_at_the_end_of_time() {
    on_thread("virtual", || {
        let io_loop = IOLoop::current();
        io_loop.use_virtual_time();
        let deadline = Deadline::new();
        io_loop.advance(Duration::MAX);
        assert!(run(poll_once(poll_fn(|cx| deadline.poll_expired(cx)))).is_none());
        io_loop.advance(Duration::MAX);
        assert!(run(poll_once(poll_fn(|cx| deadline.poll_expired(cx)))).is_none());
    });
}
