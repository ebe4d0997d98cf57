//! The reactor by itself: how it treats wakers, and when it reports nothing.

use std::cell::RefCell;
use std::io::{PipeReader, Write};
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Instant;

use super::key::Key;
use super::*;
use crate::AsyncFd;
use crate::testing::{connect, on_thread, waker_of};

fn on_both_backends(test: impl Fn() + Sync) {
    on_thread("fast backend", &test);
    on_thread("portable backend", || {
        use_portable();
        test();
    });
}

/// Waits as a loop does.
fn wait(timeout: Duration) -> io::Result<usize> {
    // Leaves the bell in place, which must live as long as the backend.
    let backend = REACTOR.with(|reactor| reactor.backend().map(Rc::clone))?;
    LoopPoller::new(backend).wait(timeout)
}

/// Waits again and again for this time, and returns how often a wait ended. The last wait comes at
/// the end of the time.
fn waits_in(time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut waits = 0;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        wait(left).unwrap();
        waits += 1;
        if left.is_zero() {
            return waits;
        }
    }
}

/// A registered source.
#[derive(Clone)]
struct Registered(Rc<Chunk>, u8);

/// Registers a descriptor and notes that it is not ready.
fn register(fd: BorrowedFd<'_>, trigger: Trigger) -> Registered {
    let (chunk, slot) = reserve();
    super::register(fd, &chunk, slot, trigger).unwrap();
    let place = Registered(chunk, slot);
    place.take_events();
    place
}

impl Registered {
    /// Makes the next event wake `waker`.
    fn wait(&self, fd: BorrowedFd<'_>, waker: &Waker) {
        if !self.0.source(self.1).set_waiter(Direction::Read, waker) {
            arm(fd, &self.0, self.1, Trigger::Level, Direction::Read).unwrap();
        }
    }

    /// Returns the events since the last call.
    fn take_events(&self) -> Ready {
        let source = self.0.source(self.1);
        let events = source.ready();
        source.set_blocked(Direction::Read);
        source.set_blocked(Direction::Write);
        events
    }

    fn remove(&self, fd: BorrowedFd<'_>, closing: bool) {
        release(fd, &self.0, self.1, closing);
    }

    fn key(&self) -> Key {
        self.0.key(self.1)
    }
}

/// A registered descriptor, with a waker that counts.
fn watched(fd: BorrowedFd<'_>, trigger: Trigger) -> (Registered, Arc<AtomicUsize>) {
    let place = register(fd, trigger);
    let (waker, woken) = counter();
    place.wait(fd, &waker);
    (place, woken)
}

fn counter() -> (Waker, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    (waker_of(wake), woken)
}

fn count(woken: &AtomicUsize) -> usize {
    woken.load(Ordering::SeqCst)
}

#[test]
fn an_event_wakes_the_waiting_task_once() {
    on_both_backends(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (place, woken) = watched(near.as_fd(), Trigger::Edge);
        wait(Duration::ZERO).unwrap();
        assert_eq!((count(&woken), place.take_events()), (0, Ready::NONE));
        far.write_all(b"x").unwrap();
        wait(crate::timer::FOREVER).unwrap();
        wait(Duration::ZERO).unwrap();
        assert_eq!((count(&woken), place.take_events()), (1, Ready::READ));
        assert_eq!(place.take_events(), Ready::NONE, "taken");
        place.remove(near.as_fd(), false);
    });
}

#[test]
fn unread_bytes_without_a_reader_do_not_keep_the_loop_awake() {
    on_both_backends(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (place, woken) = watched(near.as_fd(), Trigger::Edge);
        far.write_all(b"x").unwrap();
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);
        place.remove(near.as_fd(), false);
    });
}

#[test]
fn a_broken_connection_without_a_reader_does_not_keep_the_loop_awake() {
    on_both_backends(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let (place, woken) = watched(near.as_fd(), Trigger::Edge);
        near.shutdown(std::net::Shutdown::Write).unwrap();
        drop(far);
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);
        place.remove(near.as_fd(), false);
    });
}

#[test]
fn a_connection_that_no_task_accepts_does_not_keep_the_loop_awake() {
    on_both_backends(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (place, woken) = watched(listener.as_fd(), Trigger::Level);
        let _client = connect(listener.local_addr().unwrap());
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);

        // A task that waits again is woken again.
        let (waker, woken) = counter();
        place.wait(listener.as_fd(), &waker);
        wait(crate::timer::FOREVER).unwrap();
        assert_eq!(count(&woken), 1);
        place.remove(listener.as_fd(), false);
    });
}

#[test]
fn each_ring_of_the_bell_ends_one_wait() {
    on_both_backends(|| {
        let bell = prepare().unwrap().1.unwrap();
        for _ in 0..3 {
            rustix::io::write(&bell, &1_u64.to_ne_bytes()).unwrap();
            wait(crate::timer::FOREVER).unwrap();
            assert!(waits_in(Duration::from_millis(10)) < 4);
        }
    });
}

#[test]
fn an_event_for_a_removed_source_does_not_reach_the_next_source_in_its_place() {
    thread_local! {
        static SECOND: RefCell<Option<(UnixStream, Registered)>> = const { RefCell::new(None) };
        static THIRD: RefCell<Option<(UnixStream, UnixStream, Registered)>> = const { RefCell::new(None) };
    }
    on_both_backends(|| {
        let (first, mut first_far) = UnixStream::pair().unwrap();
        let (second, mut second_far) = UnixStream::pair().unwrap();
        let (third_waker, third_woken) = counter();
        // The first event replaces the source of the second event with a third source.
        let first_place = register(first.as_fd(), Trigger::Edge);
        let replace = waker_of(move || {
            let Some((second, place)) = SECOND.take() else { return };
            place.remove(second.as_fd(), true);
            drop(second);
            let (third, far) = UnixStream::pair().unwrap();
            let third_place = register(third.as_fd(), Trigger::Edge);
            let index = |place: &Registered| place.key().as_edge().index();
            assert_eq!(index(&third_place), index(&place), "the place is used again");
            third_place.wait(third.as_fd(), &third_waker);
            THIRD.set(Some((third, far, third_place)));
        });
        first_place.wait(first.as_fd(), &replace);
        let second_place = register(second.as_fd(), Trigger::Edge);
        second_place.wait(second.as_fd(), Waker::noop());
        SECOND.set(Some((second, second_place)));

        first_far.write_all(b"x").unwrap();
        second_far.write_all(b"x").unwrap();
        assert_eq!(wait(crate::timer::FOREVER).unwrap(), 2, "both in one batch");
        let (third, _far, third_place) = THIRD.take().unwrap();
        assert_eq!(count(&third_woken), 0);
        assert_eq!(third_place.take_events(), Ready::NONE);
        third_place.remove(third.as_fd(), true);
        first_place.remove(first.as_fd(), false);
    });
}

thread_local! {
    static HELD: RefCell<Vec<AsyncFd<PipeReader>>> = const { RefCell::new(Vec::new()) };
}

/// A waker that uses the reactor when it is dropped.
struct Meddler;

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Meddler {
    fn drop(&mut self) {
        drop(HELD.take());
        let (reader, _writer) = io::pipe().unwrap();
        let place = register(reader.as_fd(), Trigger::Edge);
        place.wait(reader.as_fd(), Waker::noop());
        place.remove(reader.as_fd(), true);
    }
}

#[test]
fn a_waker_may_use_the_reactor_when_it_is_woken_replaced_or_dropped() {
    on_both_backends(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let place = register(near.as_fd(), Trigger::Edge);
        let wait_with = |waker: Waker| {
            place.wait(near.as_fd(), &waker);
            let (reader, _writer) = io::pipe().unwrap();
            let held = AsyncFd::new(reader).unwrap();
            HELD.with_borrow_mut(|all| all.push(held));
        };
        wait_with(Waker::from(Arc::new(Meddler)));
        // Replaced, woken, and dropped with its source.
        wait_with(Waker::from(Arc::new(Meddler)));
        far.write_all(b"x").unwrap();
        wait(crate::timer::FOREVER).unwrap();
        wait_with(Waker::from(Arc::new(Meddler)));
        place.remove(near.as_fd(), false);
        assert!(HELD.take().is_empty());
    });
}

#[test]
fn generations_skip_the_values_of_special_keys() {
    on_thread("generations", || {
        SOURCES.with(|table| {
            table.generation.set((INDEX_MASK - 2) as u32);
            let generations: Vec<u32> = (0..4).map(|_| table.next_generation().get()).collect();
            assert_eq!(generations, [(INDEX_MASK - 1) as u32, 1, 2, 3]);
        });
    });
}

#[test]
fn an_idle_source_is_small() {
    assert_eq!(size_of::<Source>(), 16);
}

#[test]
fn a_waker_that_panics_does_not_lose_the_events_of_others() {
    on_both_backends(|| {
        let pairs = [(); 3].map(|()| UnixStream::pair().unwrap());
        let places = pairs.each_ref().map(|(near, _)| register(near.as_fd(), Trigger::Edge));
        let (counts, woken) = counter();
        let panics = waker_of(move || {
            counts.wake_by_ref();
            panic!("in wake");
        });
        let write_to_all = || pairs.iter().for_each(|(_, far)| (&*far).write_all(b"x").unwrap());
        // One wait reports all three, in any order.
        for _ in 0..2 {
            for ((near, _), place) in pairs.iter().zip(&places) {
                place.wait(near.as_fd(), &panics);
            }
            write_to_all();
            assert_eq!(wait(crate::timer::FOREVER).unwrap(), 3);
        }
        assert_eq!(count(&woken), 6);
        for ((near, _), place) in pairs.iter().zip(places) {
            place.remove(near.as_fd(), false);
        }
    });
}

#[test]
fn a_waker_that_is_dropped_at_the_end_of_a_thread_may_use_the_reactor() {
    on_both_backends(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let place = register(near.as_fd(), Trigger::Edge);
        place.wait(near.as_fd(), &Waker::from(Arc::new(Meddler)));
        // So many that their sources fill more than one chunk.
        let pipe = || AsyncFd::new(io::pipe().unwrap().0).unwrap();
        HELD.set((0..100).map(|_| pipe()).collect());
        shut_down();
        assert!(HELD.take().is_empty());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_registration_is_tried_again() {
    on_thread("fast backend", || {
        let (near, far) = UnixStream::pair().unwrap();
        let place = register(near.as_fd(), Trigger::Edge);
        let write = |fd| arm(fd, &place.0, place.1, Trigger::Edge, Direction::Write);
        let is_watched = || place.0.source(place.1).set_waiter(Direction::Write, Waker::noop());
        write(far.as_fd()).unwrap_err();
        assert!(!is_watched());
        write(near.as_fd()).unwrap();
        assert!(is_watched());
        place.remove(near.as_fd(), false);
    });
}

#[test]
fn the_fast_path_of_readable_events_agrees_with_the_other() {
    on_both_backends(|| {
        for trigger in [Trigger::Edge, Trigger::Level] {
            let sockets = [(); 2].map(|()| UnixStream::pair().unwrap());
            let [(fast, fast_woken), (slow, slow_woken)] =
                sockets.each_ref().map(|(near, _)| watched(near.as_fd(), trigger));
            REACTOR.with(|reactor| {
                let dispatch = Dispatch(reactor.backend().unwrap());
                for _ in 0..2 {
                    dispatch.readable_fast(fast.key());
                    dispatch.event(Event { key: slow.key(), ready: Ready::READ });
                }
            });
            let state = |place: &Registered| {
                let source = place.0.source(place.1);
                (source.ready(), source.watched.get(), source.is_awaited())
            };
            assert_eq!(state(&fast), state(&slow));
            assert_eq!(state(&fast).0, Ready::READ);
            assert_eq!((count(&fast_woken), count(&slow_woken)), (1, 1));
            for (place, (near, _)) in [fast, slow].iter().zip(&sockets) {
                place.remove(near.as_fd(), false);
            }
        }
    });
}
