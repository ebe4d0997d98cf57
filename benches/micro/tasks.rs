//! The executor: a task that is woken, runs and waits again.

use divan::Bencher;
use divan::counter::ItemsCount;
use squall::IOLoop;
use squall_runtime::yield_now;

/// Turns of the loop for each measurement, so that beginning to run it does not count.
const TURNS: usize = 100;

/// Tasks that all wake themselves in each turn. One alone pays for the turn, which is mostly its
/// `epoll_wait`.
#[divan::bench(args = [1, 64, 1024])]
fn wake(bencher: Bencher<'_, '_>, tasks: usize) {
    let io_loop = IOLoop::current();
    let others: Vec<_> = (1..tasks)
        .map(|_| {
            io_loop.spawn(async {
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    bencher.counter(ItemsCount::new(tasks * TURNS)).bench_local(|| {
        io_loop.run_sync(async {
            for _ in 0..TURNS {
                yield_now().await;
            }
        })
    });
    drop(others);
}

/// Tasks that are spawned, run once and end.
#[divan::bench(args = [64, 1024])]
fn spawn(bencher: Bencher<'_, '_>, tasks: usize) {
    let io_loop = IOLoop::current();
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| {
        io_loop.run_sync(async {
            (0..tasks).for_each(|_| IOLoop::current().spawn_callback(async {}));
            yield_now().await;
        })
    });
}
