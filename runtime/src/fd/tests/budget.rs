//! Futures that are always ready, together with others.

use std::pin::Pin;
use std::time::Instant;

use futures_lite::future::{block_on, or};

use super::*;

/// A busy future gives up after this time, so that its test fails instead of running for ever.
const GIVES_UP: Duration = Duration::from_secs(20);

/// Performs operations that are ready at once, without end.
async fn busy(fd: &AsyncFd<UnixStream>) {
    let begin = Instant::now();
    while begin.elapsed() < GIVES_UP {
        fd.write_with(|_| Ok(())).await.unwrap();
    }
}

async fn busy_until(fd: &AsyncFd<UnixStream>, end: impl Future<Output = ()>) -> bool {
    let ended = async {
        end.await;
        true
    };
    or(
        async {
            busy(fd).await;
            false
        },
        ended,
    )
    .await
}

#[test]
fn a_time_limit_ends_a_future_that_is_always_ready() {
    on_both_backends(async || {
        let (near, _far) = socket();
        for limit in [Duration::ZERO, Duration::from_millis(5)] {
            assert!(timeout(limit, busy(&near)).await.is_err());
            assert!(busy_until(&near, sleep(limit)).await);
            assert!(timeout(limit, timeout(GIVES_UP, busy(&near))).await.is_err());
            let in_task = async move {
                let (near, _far) = socket();
                timeout(limit, busy(&near)).await.is_err()
            };
            assert!(IOLoop::current().spawn(in_task).await.unwrap());
        }
    });
}

#[test]
fn an_operation_gets_its_turn_beside_one_that_is_always_ready() {
    on_both_backends(async || {
        let (near, _far) = socket();
        let (other, mut writer) = socket();
        let task = IOLoop::current().spawn(async move {
            let read = async { assert_eq!(read::<4>(&other).await.unwrap(), b"more") };
            assert!(busy_until(&near, read).await);
            let written = async { drop(other.write_with(|_| Ok(())).await) };
            assert!(busy_until(&near, written).await);
            let readable = async { drop(timeout(Duration::ZERO, other.readable()).await) };
            assert!(busy_until(&near, readable).await);
        });
        settle().await;
        writer.write_all(b"more").unwrap();
        task.await.unwrap();
    });
}

#[test]
fn a_time_limit_ends_a_loop_that_ignores_errors() {
    run(async {
        let (near, far) = socket();
        drop(far);
        let fails = async {
            let begin = Instant::now();
            while begin.elapsed() < GIVES_UP {
                assert!(
                    near.write_with(|_| Err::<(), _>(io::ErrorKind::BrokenPipe.into()))
                        .await
                        .is_err()
                );
            }
        };
        assert!(timeout(Duration::from_millis(5), fails).await.is_err());
    });
}

#[test]
fn sleeps_that_are_over_at_once_let_the_other_tasks_run() {
    run(async {
        let others = Rc::new(Cell::new(0));
        let count = Rc::clone(&others);
        let other = IOLoop::current().spawn(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        for _ in 0..1000 {
            sleep(Duration::ZERO).await;
        }
        assert!(others.get() > 5, "{} times", others.get());
        drop(other);
    });
}

#[test]
fn nested_operations_do_not_spend_more_units_than_are_left() {
    run(async {
        let task = IOLoop::current().spawn(async {
            let (near, _far) = socket();
            poll_fn(|cx| {
                let waker = cx.waker().clone();
                let inside = |near: &AsyncFd<UnixStream>| {
                    let cx = &mut Context::from_waker(&waker);
                    let _ready = near.poll_write_with(cx, |_| Ok(()));
                    Ok(())
                };
                let mut done = 1;
                // The first operation spends one unit, each other one two. The last one finds only
                // one.
                assert!(near.poll_write_with(cx, |_| Ok(())).is_ready());
                while near.poll_write_with(cx, |_| inside(&near)).is_ready() {
                    done += 1;
                    assert!(done < 1000, "there is no end to it");
                }
                Poll::Ready(done)
            })
            .await
        });
        assert_eq!(task.await.unwrap(), 1 + 64);
    });
}

/// Returns how often a future with this number of operations is polled.
fn polls_of(operations: usize) -> impl Future<Output = usize> {
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
        let (near, mut far) = socket();
        for _ in 0..operations / 2 {
            far.write_all(b"x").unwrap();
            assert_eq!(read::<1>(&near).await.unwrap(), b"x");
            near.write_with(|_| Ok(())).await.unwrap();
        }
    });
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        assert!(polls < 100_000, "it spins");
        future.as_mut().poll(cx).map(|()| polls)
    })
}

#[test]
fn an_executor_inside_a_task_or_outside_of_the_loop_gets_a_budget() {
    on_thread("outside", || {
        assert_eq!(block_on(polls_of(10_000)), 1);
        run(yield_now());
        assert_eq!(block_on(polls_of(10_000)), 1);
        run(async {
            let task = IOLoop::current().spawn(async { block_on(polls_of(10_000)) });
            let polls = task.await.unwrap();
            assert!(polls < 10_000 / 100, "{polls} polls");
        });
        // Also tests the future of `run_sync`.
        let polls = run(polls_of(10_000));
        assert!((30..100).contains(&polls), "{polls} polls");
    });
}
