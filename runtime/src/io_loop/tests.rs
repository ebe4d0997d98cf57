//! Starting, stopping, and failures.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::testing::{logged, on_thread, run};
use crate::{sleep, yield_now};

/// Returns the message of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it should panic");
    payload.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_loop_inside_of_a_loop_panics_with_a_message() {
    let io_loop = IOLoop::current();
    run(async {
        let message = panic_of(|| drop(io_loop.run_sync(async {})));
        assert!(message.starts_with("`IOLoop::run_sync` was called while the event loop"));
        let message = panic_of(|| drop(io_loop.start()));
        assert!(message.starts_with("`IOLoop::start` was called while the event loop"));
    });
    run(yield_now());
}

#[test]
fn a_panic_in_a_task_is_logged_with_its_line_and_the_loop_lives_on() {
    // Printing the panic may block the loop.
    IOLoop::current().slow_callback(None);
    let lines = logged(|| {
        run(async {
            let pity = "pity".to_owned();
            let task =
                IOLoop::current().spawn(async move { assert!(pity.is_empty(), "what a {pity}") });
            let error = task.await.unwrap_err();
            assert!(error.is_panic() && !error.is_cancelled());
            assert_eq!(error.to_string(), "the task panicked: what a pity");
            assert_eq!(error.into_panic().downcast_ref::<String>().unwrap(), "what a pity");
        });
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let site = format!("ERROR squall::application: a task spawned at {}:", file!());
    let panic = format!(" panicked: what a pity, at {}:", file!());
    assert!(line.starts_with(&site) && line.contains(&panic), "{line}");
}

#[test]
fn a_panic_in_a_callback_is_logged_with_its_line_and_the_loop_lives_on() {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    let lines = logged(|| {
        io_loop.add_callback(|| panic!("one"));
        io_loop.call_later(Duration::ZERO, || panic!("two"));
        io_loop.handle().add_callback(|| panic!("three")).unwrap();
        io_loop.spawn_callback(async { panic!("four") });
        run(sleep(Duration::from_millis(2)));
    });
    assert_eq!(lines.len(), 4, "{lines:?}");
    for said in ["one", "two", "three", "four"] {
        let line = lines.iter().find(|line| line.contains(&format!(": {said}, at "))).unwrap();
        assert!(line.contains(file!()), "{line}");
    }
}

#[test]
fn a_panic_while_a_future_is_dropped_is_logged_and_the_loop_lives_on() {
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    // Printing the panics may block the loop.
    IOLoop::current().slow_callback(None);
    let lines = logged(|| {
        run(async {
            // Cancelled while waiting, cancelled before the first poll, and done.
            let task = IOLoop::current().spawn(async {
                let _guard = PanicsWhenDropped;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            task.cancel().await;
            let guard = PanicsWhenDropped;
            let task = IOLoop::current().spawn(async move { drop(guard) });
            task.cancel().await;
            yield_now().await;
        });
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_panic_of_the_future_given_to_run_sync_goes_to_its_caller() {
    let io_loop = IOLoop::current();
    let panicked = catch_unwind(AssertUnwindSafe(|| io_loop.run_sync(async { panic!("here") })));
    assert_eq!(*panicked.unwrap_err().downcast_ref::<&str>().unwrap(), "here");
    assert_eq!(io_loop.run_sync(async { 1 }).unwrap(), 1);
}

#[test]
fn run_sync_fails_if_the_loop_is_stopped_before_the_end() {
    let io_loop = IOLoop::current();
    io_loop.add_callback(|| IOLoop::current().stop());
    let error = io_loop.run_sync(std::future::pending::<()>()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert_eq!(io_loop.run_sync(async { 1 }).unwrap(), 1, "the loop can be used again");
}

#[test]
fn run_sync_polls_its_future_when_it_is_woken_and_not_otherwise() {
    let polls = Cell::new(0);
    let nap = sleep(Duration::from_millis(5));
    let mut nap = std::pin::pin!(nap);
    IOLoop::current().spawn_callback(async {
        loop {
            yield_now().await;
        }
    });
    run(std::future::poll_fn(|cx| {
        polls.set(polls.get() + 1);
        nap.as_mut().poll(cx)
    }));
    assert!(polls.get() <= 3, "the first time, and when it was woken: {}", polls.get());
}

#[test]
fn stop_before_start_makes_start_return_at_once() {
    let io_loop = IOLoop::current();
    io_loop.stop();
    io_loop.add_callback(|| panic!("not in that run"));
    io_loop.start().unwrap();
}

#[test]
fn unfinished_tasks_continue_when_the_loop_is_started_again() {
    let io_loop = IOLoop::current();
    let turns = Rc::new(Cell::new(0));
    let count = Rc::clone(&turns);
    io_loop.spawn_callback(async move {
        for _ in 0..3 {
            count.set(count.get() + 1);
            IOLoop::current().stop();
            yield_now().await;
        }
    });
    for turn in 1..=3 {
        io_loop.start().unwrap();
        assert_eq!(turns.get(), turn);
    }
}

#[test]
fn all_handles_of_a_thread_belong_to_one_loop_that_knows_its_line() {
    on_thread("loop", || {
        assert!(existing_loop().is_none());
        assert!(existing_loop().is_none(), "this makes no loop");
        let line = line!() + 1;
        let made = IOLoop::current();
        assert!(Rc::ptr_eq(&made.0, &IOLoop::current().0));
        let site = existing_loop().unwrap();
        assert_eq!((site.file(), site.line()), (file!(), line));
    });
    on_thread("descriptor", || {
        let (reader, _writer) = io::pipe().unwrap();
        drop(crate::AsyncFd::new(reader).unwrap());
        assert_eq!(existing_loop().unwrap().file(), file!(), "a descriptor makes a loop");
    });
}

#[test]
fn an_implicitly_made_loop_names_the_line_of_the_user() {
    let cases: [(&str, fn()); 9] = [
        ("periodic", || crate::PeriodicCallback::new(Duration::from_secs(1), async || {}).start()),
        ("signals", || drop(crate::signal::Signals::new([crate::signal::SIGUSR1]).unwrap())),
        ("tcp", || {
            drop(crate::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap());
        }),
        ("tcp of std", || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            drop(crate::TcpListener::try_from(listener).unwrap());
        }),
        ("pair", || drop(crate::UnixStream::pair().unwrap())),
        ("unix of std", || {
            let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
            drop(crate::UnixStream::try_from(one).unwrap());
        }),
        ("sockets", || {
            drop(crate::bind_sockets("127.0.0.1:0").unwrap().into_listeners().unwrap());
        }),
        ("decline_reloads", || crate::process::decline_reloads().unwrap()),
        ("stay", || crate::process::ForkOptions::new().stay().unwrap()),
    ];
    for (what, make) in cases {
        on_thread(what, || {
            make();
            assert_eq!(existing_loop().map(Location::file), Some(file!()), "{what}");
        });
    }
}

#[test]
fn a_loop_that_was_never_run_holds_no_descriptor() {
    on_thread("loop", || {
        IOLoop::current().add_callback(|| ());
        IOLoop::current().call_later(Duration::from_secs(1), || ());
        assert!(!reactor::is_open());
        run(yield_now());
        assert!(reactor::is_open());
    });
}

#[test]
#[ignore = "ends the process; `the_process_can_end_inside_of_a_task` runs it in another one"]
#[expect(clippy::exit, reason = "that is what is tested")]
fn end_the_process_inside_of_a_task() {
    run(async {
        IOLoop::current().spawn(std::future::pending::<()>()).detach();
        yield_now().await;
        IOLoop::current().spawn(async { std::process::exit(7) }).await.unwrap();
    });
}

#[test]
fn the_process_can_end_inside_of_a_task() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "io_loop::tests::end_the_process_inside_of_a_task"])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
}
