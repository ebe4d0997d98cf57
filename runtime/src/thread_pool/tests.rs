//! Pools whose threads are limited or refused.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Waker};

use futures_lite::future::block_on;

use super::*;
use crate::testing::waker_of;

/// Longer than anything in these tests takes, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A limited supply of threads. Each end of a thread is reported.
struct Threads {
    left: AtomicUsize,
    ends: Sender<()>,
}

/// Makes a pool of up to `limit` threads for which only `left` threads can be created.
fn pool_of(
    limit: usize,
    left: usize,
    idle_limit: Duration,
) -> (ThreadPool, Arc<Threads>, Receiver<()>) {
    let (ends, ended) = channel();
    let threads = Arc::new(Threads { left: AtomicUsize::new(left), ends });
    let system = Arc::clone(&threads);
    let create = move |work: Work| {
        let take = |left: usize| left.checked_sub(1);
        if system.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            return Err(io::Error::from_raw_os_error(11));
        }
        let ends = system.ends.clone();
        create_thread(Box::new(move || {
            work();
            ends.send(()).unwrap();
        }))
    };
    (ThreadPool::with(limit, idle_limit, Box::new(create)), threads, ended)
}

fn submit<T: Send + 'static>(
    pool: &ThreadPool,
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<thread::Result<T>, ThreadPoolError>> + Unpin {
    pool.submit(job, || ())
}

/// Submits a job that occupies a thread until the returned value is dropped. The job has begun when
/// this returns.
fn occupy(pool: &ThreadPool) -> (Sender<()>, impl Future + Unpin + use<>) {
    let (begin, begun) = channel();
    let (end, ended) = channel::<()>();
    let job = pool.submit(
        move || {
            begin.send(()).unwrap();
            let _ = ended.recv();
        },
        || (),
    );
    begun.recv_timeout(SOON).unwrap();
    (end, job)
}

fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let cx = &mut Context::from_waker(Waker::noop());
    match std::pin::Pin::new(future).poll(cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn jobs_start_in_the_order_of_submission() {
    let pool = ThreadPool::new(1);
    let (busy, _busy_job) = occupy(&pool);
    let (start, started) = channel();
    let jobs: Vec<_> = (0..100)
        .map(|number| {
            let start = start.clone();
            submit(&pool, move || start.send(number).unwrap())
        })
        .collect();
    drop((busy, start));
    assert_eq!(started.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    drop(jobs);
}

#[test]
fn a_pool_has_no_more_threads_than_it_was_given() {
    let pool = ThreadPool::new(3);
    let jobs: Vec<_> = (0..300).map(|_| submit(&pool, || thread::current().id())).collect();
    let threads: HashSet<_> = jobs.into_iter().map(|job| block_on(job).unwrap().unwrap()).collect();
    assert!((1..=3).contains(&threads.len()), "{threads:?}");
}

#[test]
fn jobs_wait_for_the_threads_that_exist_if_no_other_can_be_created() {
    let (pool, ..) = pool_of(30, 2, SOON);
    let jobs: Vec<_> = (0..200).map(|number| submit(&pool, move || number)).collect();
    for (number, job) in jobs.into_iter().enumerate() {
        assert_eq!(block_on(job).unwrap().unwrap(), number);
    }
    assert_eq!(pool.shared().lock().threads, 2);
}

#[test]
fn without_any_thread_a_job_fails_and_a_later_one_asks_for_a_thread_again() {
    let (pool, threads, _ended) = pool_of(4, 0, SOON);
    let error = block_on(submit(&pool, || ())).unwrap_err();
    assert!(error.to_string().starts_with("the thread pool has no thread"), "{error}");
    let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.raw_os_error(), Some(11));
    let as_io = io::Error::from(error);
    assert_eq!(as_io.kind(), io::ErrorKind::Other, "not `WouldBlock`");
    assert!(as_io.get_ref().unwrap().is::<ThreadPoolError>());

    threads.left.store(1, Ordering::SeqCst);
    assert_eq!(block_on(submit(&pool, || 7)).unwrap().unwrap(), 7);
}

#[test]
fn every_refused_job_is_answered_even_if_the_destructor_of_one_panics() {
    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("of a refused job");
        }
    }

    let (pool, _threads, _ended) = pool_of(1, 0, SOON);
    let value = PanicsInDrop;
    let first = submit(&pool, move || drop(value));
    let second = submit(&pool, || ());
    for error in [block_on(first).unwrap_err(), block_on(second).unwrap_err()] {
        assert!(error.to_string().starts_with("the thread pool has no thread"), "{error}");
    }
}

#[test]
fn the_panic_of_a_job_goes_to_its_awaiter_and_the_thread_continues() {
    let pool = ThreadPool::new(1);
    let thread = block_on(submit(&pool, || thread::current().id())).unwrap().unwrap();
    let payload = block_on(submit(&pool, || panic!("of the job"))).unwrap().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"of the job"));
    assert_eq!(block_on(submit(&pool, || thread::current().id())).unwrap().unwrap(), thread);
}

#[test]
fn a_thread_survives_a_waker_and_a_result_that_panic() {
    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("of the result");
        }
    }

    let pool = ThreadPool::new(1);
    let thread = block_on(submit(&pool, || thread::current().id())).unwrap().unwrap();
    let (begin, begun) = channel::<()>();
    let mut first = submit(&pool, move || begun.recv().is_err());
    let waker = waker_of(|| panic!("of the waker"));
    assert!(pin!(&mut first).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(begin);
    let (begin, begun) = channel::<()>();
    let (start, started) = channel();
    let second = submit(&pool, move || {
        start.send(()).unwrap();
        let _ = begun.recv();
        PanicsInDrop
    });
    started.recv_timeout(SOON).unwrap();
    drop(second);
    drop(begin);
    assert_eq!(block_on(submit(&pool, || thread::current().id())).unwrap().unwrap(), thread);
    assert!(block_on(first).unwrap().unwrap());
}

#[test]
fn idle_threads_end() {
    let (pool, _threads, ended) = pool_of(4, usize::MAX, Duration::from_millis(1));
    let busy: Vec<_> = (0..4).map(|_| occupy(&pool)).collect();
    assert_eq!(pool.shared().lock().threads, 4);
    drop(busy);
    (0..4).for_each(|_| ended.recv_timeout(SOON).unwrap());
    assert_eq!(pool.shared().lock().threads, 0);
    assert_eq!(
        block_on(submit(&pool, || "a new one runs this")).unwrap().unwrap(),
        "a new one runs this"
    );
}

#[test]
fn a_trickle_of_jobs_does_not_keep_all_threads() {
    let (pool, _threads, ended) = pool_of(4, usize::MAX, Duration::from_millis(100));
    drop((0..4).map(|_| occupy(&pool)).collect::<Vec<_>>());
    let begin = Instant::now();
    let mut count = 0;
    while count < 3 {
        block_on(submit(&pool, || ())).unwrap().unwrap();
        count += ended.try_iter().count();
        assert!(begin.elapsed() < SOON, "only {count} threads have ended");
    }
}

#[test]
fn threads_end_with_the_last_clone_of_their_pool() {
    let (pool, threads, ended) = pool_of(2, usize::MAX, 10 * SOON);
    let (busy, job) = occupy(&pool);
    block_on(submit(&pool, || ())).unwrap().unwrap();
    drop((threads, pool));
    assert!(ended.try_recv().is_err(), "a submission is a clone of the pool");
    drop(job);
    // The idle thread ends at once, the other one after its job.
    ended.recv_timeout(SOON).unwrap();
    drop(busy);
    ended.recv_timeout(SOON).unwrap();
}

#[test]
fn a_job_that_no_thread_has_begun_is_cancelled_by_dropping_it() {
    let pool = ThreadPool::new(1);
    let (busy, _busy_job) = occupy(&pool);
    let (held, is_held) = channel::<()>();
    let cancelled = submit(&pool, move || drop(held));
    drop(cancelled);
    assert!(is_held.recv().is_err(), "the job and what it owns are gone");
    assert!(pool.shared().lock().jobs.is_empty());
    drop(busy);
}

#[test]
fn a_full_queue_makes_the_submitter_wait() {
    let pool = ThreadPool::new(1).queue_size(2);
    let (busy, _busy_job) = occupy(&pool);
    let (start, started) = channel();
    let job = |name: &'static str| {
        let start = start.clone();
        submit(&pool, move || start.send(name).unwrap())
    };
    let (first, second) = (job("first"), job("second"));
    let (mut third, mut fourth, mut fifth) = (job("third"), job("fourth"), job("fifth"));
    assert_eq!(pool.shared().lock().jobs.len(), 2, "the others are not submitted");
    // Awaited jobs wait in line, in order.
    assert!(poll_once(&mut fourth).is_none());
    assert!(poll_once(&mut third).is_none());
    assert!(poll_once(&mut fifth).is_none());
    drop(third);
    drop(busy);
    block_on(fifth).unwrap().unwrap();
    assert_eq!(started.try_iter().collect::<Vec<_>>(), ["first", "second", "fourth", "fifth"]);
    drop((first, second, fourth));
}

#[test]
fn a_job_holds_what_it_is_given_until_its_submission_is_woken() {
    struct Hold(Sender<&'static str>);

    impl Drop for Hold {
        fn drop(&mut self) {
            self.0.send("released").unwrap();
        }
    }

    let pool = ThreadPool::new(1);
    let (events, order) = channel();
    let (busy, _busy_job) = occupy(&pool);
    let hold = events.clone();
    let mut job = pool.submit(|| (), move || Hold(hold));
    let woken = Mutex::new(events);
    let waker = waker_of(move || woken.lock().unwrap().send("woken").unwrap());
    assert!(pin!(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(busy);
    let next = || order.recv_timeout(SOON).unwrap();
    assert_eq!([next(), next()], ["woken", "released"]);
    assert!(block_on(poll_fn(|cx| pin!(&mut job).poll(cx))).is_ok());
}

#[test]
#[should_panic(expected = "`ThreadPool::new` needs at least one thread")]
fn a_pool_without_threads_is_refused() {
    let _: ThreadPool = ThreadPool::new(0);
}
