//! The reactor by itself: what it does with wakers, and when it keeps quiet.

use std::cell::RefCell;
use std::io::{PipeReader, Write};
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Instant;

use super::*;
use crate::AsyncFd;
use crate::testing::{connect, on_thread, waker_of};

fn on_both_systems(test: impl Fn() + Sync) {
    on_thread("fast system", &test);
    on_thread("portable system", || {
        use_portable();
        test();
    });
}

/// Waits as a loop does.
fn wait(timeout: Duration) -> io::Result<usize> {
    // Without taking the bell, which has to live as long as the system.
    let asked = OPENED.with(|opened| opened.system().map(Rc::clone).map(Asked))?;
    asked.wait(timeout)
}

/// How often the reactor has something to tell while time passes. It is asked at the end as well,
/// however soon that comes.
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

/// A registered descriptor, with a waker that counts.
fn watched(fd: BorrowedFd<'_>, trigger: Trigger) -> (Key, Arc<AtomicUsize>) {
    let key = register(fd, trigger).unwrap();
    let (waker, woken) = counter();
    wait_for(fd, key, Direction::Read, &waker).unwrap();
    (key, woken)
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
fn an_event_wakes_whoever_waits_once() {
    on_both_systems(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (key, woken) = watched(near.as_fd(), Trigger::Edge);
        wait(Duration::ZERO).unwrap();
        assert_eq!((count(&woken), take_events(key)), (0, Ready::NOTHING));
        far.write_all(b"x").unwrap();
        wait(crate::timer::FOREVER).unwrap();
        wait(Duration::ZERO).unwrap();
        assert_eq!((count(&woken), take_events(key)), (1, Ready::READ));
        assert_eq!(take_events(key), Ready::NOTHING, "taken");
        remove(near.as_fd(), key, false);
    });
}

#[test]
fn bytes_that_nobody_waits_for_do_not_keep_the_loop_awake() {
    on_both_systems(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (key, woken) = watched(near.as_fd(), Trigger::Edge);
        far.write_all(b"x").unwrap();
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);
        remove(near.as_fd(), key, false);
    });
}

#[test]
fn a_broken_connection_that_nobody_waits_for_does_not_keep_the_loop_awake() {
    on_both_systems(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let (key, woken) = watched(near.as_fd(), Trigger::Edge);
        near.shutdown(std::net::Shutdown::Write).unwrap();
        drop(far);
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);
        remove(near.as_fd(), key, false);
    });
}

#[test]
fn a_connection_that_nobody_accepts_does_not_keep_the_loop_awake() {
    on_both_systems(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (key, woken) = watched(listener.as_fd(), Trigger::Level);
        let _client = connect(listener.local_addr().unwrap());
        assert!(waits_in(Duration::from_millis(30)) < 6);
        assert_eq!(count(&woken), 1);

        // Whoever comes back to it is told again.
        let (waker, woken) = counter();
        wait_for(listener.as_fd(), key, Direction::Read, &waker).unwrap();
        wait(crate::timer::FOREVER).unwrap();
        assert_eq!(count(&woken), 1);
        remove(listener.as_fd(), key, false);
    });
}

#[test]
fn a_bell_ends_the_wait_as_often_as_it_is_rung_and_no_more_often() {
    on_both_systems(|| {
        let bell = prepare().unwrap().1.unwrap();
        for _ in 0..3 {
            rustix::io::write(&bell, &1_u64.to_ne_bytes()).unwrap();
            wait(crate::timer::FOREVER).unwrap();
            assert!(waits_in(Duration::from_millis(10)) < 4);
        }
    });
}

#[test]
fn an_event_for_a_source_that_was_removed_does_not_reach_its_successor() {
    thread_local! {
        static SECOND: RefCell<Option<(UnixStream, Key)>> = const { RefCell::new(None) };
        static THIRD: RefCell<Option<(UnixStream, UnixStream, Key)>> = const { RefCell::new(None) };
    }
    on_both_systems(|| {
        let (first, mut first_far) = UnixStream::pair().unwrap();
        let (second, mut second_far) = UnixStream::pair().unwrap();
        let (third_waker, third_woken) = counter();
        // Whichever event comes first replaces the other source by a third one in its place.
        let first_key = register(first.as_fd(), Trigger::Edge).unwrap();
        let replace = waker_of(move || {
            let Some((second, key)) = SECOND.take() else { return };
            remove(second.as_fd(), key, true);
            drop(second);
            let (third, far) = UnixStream::pair().unwrap();
            let third_key = register(third.as_fd(), Trigger::Edge).unwrap();
            assert_eq!(third_key.index(), key.index(), "the place is used again");
            wait_for(third.as_fd(), third_key, Direction::Read, &third_waker).unwrap();
            THIRD.set(Some((third, far, third_key)));
        });
        wait_for(first.as_fd(), first_key, Direction::Read, &replace).unwrap();
        let second_key = register(second.as_fd(), Trigger::Edge).unwrap();
        wait_for(second.as_fd(), second_key, Direction::Read, Waker::noop()).unwrap();
        SECOND.set(Some((second, second_key)));

        first_far.write_all(b"x").unwrap();
        second_far.write_all(b"x").unwrap();
        assert_eq!(wait(crate::timer::FOREVER).unwrap(), 2, "both in one batch");
        let (third, _far, third_key) = THIRD.take().unwrap();
        assert_eq!(count(&third_woken), 0);
        assert_eq!(take_events(third_key), Ready::NOTHING);
        remove(third.as_fd(), third_key, true);
        remove(first.as_fd(), first_key, false);
    });
}

thread_local! {
    static HELD: RefCell<Vec<AsyncFd<PipeReader>>> = const { RefCell::new(Vec::new()) };
}

/// A waker that, when it is woken or dropped, uses the reactor.
struct Meddler;

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Meddler {
    fn drop(&mut self) {
        drop(HELD.take());
        let (reader, _writer) = io::pipe().unwrap();
        let key = register(reader.as_fd(), Trigger::Edge).unwrap();
        wait_for(reader.as_fd(), key, Direction::Read, Waker::noop()).unwrap();
        remove(reader.as_fd(), key, true);
    }
}

#[test]
fn a_waker_may_use_the_reactor_when_it_is_woken_replaced_or_dropped() {
    on_both_systems(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let key = register(near.as_fd(), Trigger::Edge).unwrap();
        let wait_with = |waker: Waker| {
            wait_for(near.as_fd(), key, Direction::Read, &waker).unwrap();
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
        remove(near.as_fd(), key, false);
        assert!(HELD.take().is_empty());
    });
}

#[test]
fn generations_never_meet_the_keys_with_a_meaning_of_their_own() {
    on_thread("generations", || {
        REACTOR.with(|reactor| {
            reactor.generation.set((INDEX_MASK - 2) as u32);
            let generations: Vec<u32> = (0..4).map(|_| reactor.next_generation().get()).collect();
            assert_eq!(generations, [(INDEX_MASK - 1) as u32, 1, 2, 3]);
        });
    });
}

#[test]
fn an_idle_source_is_small() {
    assert_eq!(size_of::<Source>(), 16);
    assert_eq!(Slab::<Source>::new().slot_size(), 16, "a slot of the slab costs nothing more");
}

#[test]
fn a_waker_that_panics_does_not_deafen_the_reactor() {
    on_both_systems(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let key = register(near.as_fd(), Trigger::Edge).unwrap();
        let panics = waker_of(|| panic!("in wake"));
        wait_for(near.as_fd(), key, Direction::Read, &panics).unwrap();
        far.write_all(b"x").unwrap();
        let panicked = std::panic::catch_unwind(|| wait(crate::timer::FOREVER));
        assert!(panicked.is_err());
        let (waker, woken) = counter();
        wait_for(near.as_fd(), key, Direction::Read, &waker).unwrap();
        far.write_all(b"x").unwrap();
        wait(crate::timer::FOREVER).unwrap();
        assert_eq!(count(&woken), 1);
        remove(near.as_fd(), key, false);
    });
}
