//! When virtual time passes, and when it does not.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::task::{Poll, Waker};
use std::thread;

use futures_lite::AsyncReadExt;

use super::*;
use crate::testing::on_thread;
use crate::{UnixStream, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// A socket of the loop, and its other end.
fn pair() -> (UnixStream, StdUnixStream) {
    let (near, far) = StdUnixStream::pair().unwrap();
    (UnixStream::try_from(near).unwrap(), far)
}

/// Calls `act` in another thread, most likely while the loop sleeps.
#[expect(clippy::disallowed_methods, reason = "nothing tells when the loop has gone to sleep")]
fn soon(act: impl FnOnce() + Send + 'static) {
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        act();
    });
}

fn virtual_loop() -> IOLoop {
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    io_loop
}

#[test]
fn time_does_not_pass_while_a_task_waits_for_a_descriptor() {
    let io_loop = virtual_loop();
    let begin = io_loop.time();
    let (mut near, mut far) = pair();
    soon(move || far.write_all(b"at last").unwrap());
    let timer = io_loop.spawn(sleep(Duration::from_millis(1)));
    let read = async {
        let mut text = String::new();
        near.read_to_string(&mut text).await.map(|_| text)
    };
    let read = io_loop.run_sync(timeout(5 * SECOND, read)).unwrap();
    assert_eq!(read.unwrap().unwrap(), "at last");
    assert_eq!(io_loop.time(), begin);
    assert!(!timer.is_finished());
    io_loop.run_sync(timer).unwrap().unwrap();
    assert_eq!(io_loop.time() - begin, Duration::from_millis(1));
}

#[test]
fn time_passes_once_the_task_that_waits_for_a_descriptor_has_ended() {
    let io_loop = virtual_loop();
    let begin = io_loop.time();
    let (near, _far) = pair();
    let near = Rc::new(near);
    let socket = Rc::clone(&near);
    let reader =
        io_loop.spawn(async move { poll_fn(|cx| socket.poll_recv(cx, &mut [0; 8])).await });
    io_loop.run_sync(crate::yield_now()).unwrap();
    assert_eq!(io_loop.0.awaited(), Awaited::Descriptor);
    assert!(io_loop.run_sync(reader.cancel()).unwrap().is_none());
    io_loop.run_sync(sleep(SECOND)).unwrap();
    assert_eq!(io_loop.time() - begin, SECOND);
    drop(near);
}

#[test]
fn descriptors_of_the_runtime_do_not_hold_the_virtual_clock() {
    let io_loop = virtual_loop();
    let begin = io_loop.time();
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let near = crate::AsyncFd::new(near).unwrap().internal();
    let reader = io_loop.spawn(async move {
        near.read_with(|mut near| io::Read::read(&mut near, &mut [0; 8])).await
    });
    io_loop.run_sync(sleep(SECOND)).unwrap();
    assert_eq!(io_loop.time() - begin, SECOND);
    drop(far);
    assert_eq!(io_loop.run_sync(reader).unwrap().unwrap().unwrap(), 0);
}

#[test]
fn a_loop_in_which_nothing_can_happen_fails_and_lists_the_tasks_that_wait() {
    let io_loop = virtual_loop();
    let two = line!() + 1;
    let tasks = [(); 2].map(|()| io_loop.spawn(pending::<()>()));
    let one = line!() + 1;
    let third = io_loop.spawn(pending::<()>());
    io_loop.spawn(async {}).detach();
    let future = line!() + 1;
    let error = io_loop.run_sync(pending::<()>()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
    let text = error.to_string();
    assert!(text.starts_with("deadlock: "), "{text}");
    let lines: Vec<_> = text.lines().skip(1).collect();
    let expected = [
        format!("- the future of `run_sync`, called at {}:{future}:", file!()),
        format!("- 2 tasks spawned at {}:{two}:", file!()),
        format!("- a task spawned at {}:{one}:", file!()),
    ];
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{text}");
    }
    assert_eq!(lines.len(), 3, "{text}");
    drop((tasks, third));

    assert_eq!(io_loop.start().unwrap_err().kind(), io::ErrorKind::Deadlock);
    // The loop can run again afterwards.
    io_loop.run_sync(sleep(SECOND)).unwrap();
}

#[test]
fn a_waker_in_another_thread_is_given_time() {
    let io_loop = virtual_loop();
    let woken = Rc::new(Cell::new(false));
    let mut first = true;
    let wait = poll_fn(|cx| {
        if !std::mem::replace(&mut first, false) {
            woken.set(true);
            return Poll::Ready(());
        }
        let waker: Waker = cx.waker().clone();
        soon(move || waker.wake());
        Poll::Pending
    });
    io_loop.run_sync(wait).unwrap();
    assert!(woken.get());
}

#[test]
fn a_handle_in_another_thread_is_waited_for() {
    let io_loop = virtual_loop();
    assert_eq!(io_loop.0.awaited(), Awaited::Nothing);
    let handle = io_loop.handle();
    assert_eq!(io_loop.0.awaited(), Awaited::Thread);
    soon(move || handle.add_callback(|| IOLoop::current().stop()).unwrap());
    io_loop.start().unwrap();
}

#[test]
fn a_handle_or_a_job_that_is_silent_for_too_long_ends_in_an_error() {
    let io_loop = virtual_loop();
    let (mut poller, _) = reactor::prepare().unwrap();
    let limit = Duration::from_millis(1);
    for (awaited, reason) in [
        (Awaited::Thread, "no thread with an `IOLoopHandle` has used it for 60 seconds"),
        (Awaited::Job, "a job in a thread pool has not ended for 600 seconds"),
    ] {
        let error = io_loop.0.sleep_within(&mut poller, limit, awaited).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Deadlock);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_loop_that_turns_in_circles_fails_and_lists_the_tasks() {
    let io_loop = virtual_loop();
    let circles = line!() + 1;
    let circling = io_loop.spawn(async {
        loop {
            sleep(SECOND).await;
            crate::yield_now().await;
        }
    });
    let error = io_loop.run_sync(pending::<()>()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
    let text = error.to_string();
    assert!(text.starts_with("the loop made 1000000 turns without waking this future"), "{text}");
    assert!(text.contains(&format!("- a task spawned at {}:{circles}:", file!())), "{text}");
    drop(circling);
    // The loop can run again afterwards.
    io_loop.run_sync(sleep(SECOND)).unwrap();
}

#[test]
fn a_job_is_waited_for() {
    let io_loop = virtual_loop();
    let (end, ended) = channel::<()>();
    let job = io_loop.run_in_executor(move || ended.recv().is_err());
    assert_eq!(io_loop.0.awaited(), Awaited::Job);
    drop(end);
    assert!(io_loop.run_sync(job).unwrap().unwrap());
}

#[test]
fn a_silent_descriptor_ends_in_an_error_that_lists_its_task() {
    on_thread("silence", || {
        let io_loop = virtual_loop();
        let (near, _far) = pair();
        let read = async move { poll_fn(|cx| near.poll_recv(cx, &mut [0; 8])).await };
        let line = line!() + 1;
        let task = io_loop.spawn(read);
        io_loop.run_sync(crate::yield_now()).unwrap();
        let (mut asked, _) = reactor::prepare().unwrap();
        let limit = Duration::from_millis(1);
        let error = io_loop.0.sleep_within(&mut asked, limit, io_loop.0.awaited()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("no descriptor became ready for 60 seconds"), "{text}");
        assert!(text.contains(&format!("- a task spawned at {}:{line}:", file!())), "{text}");
        drop(task);
    });
}

#[test]
fn the_real_time_comes_back_before_virtual_time_has_passed() {
    let io_loop = virtual_loop();
    let begin = io_loop.time();
    io_loop.use_real_time();
    io_loop.run_sync(sleep(Duration::from_millis(2))).unwrap();
    assert!(io_loop.time() - begin >= Duration::from_millis(2));
    assert!(io_loop.time() <= Instant::now());
}

#[test]
#[should_panic(expected = "must be called before the virtual clock has moved")]
fn the_real_time_does_not_come_back_once_virtual_time_has_passed() {
    let io_loop = virtual_loop();
    io_loop.run_sync(sleep(60 * SECOND)).unwrap();
    io_loop.use_real_time();
}
