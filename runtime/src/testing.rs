//! Helpers for the tests of this crate.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::{IOLoop, reactor, timeout, timer};

/// After this time, a test hangs and is not only slow. On a busy machine, printing the location of
/// a panic takes seconds.
const HANGS: Duration = Duration::from_secs(120);

/// Runs `test` on a loop with each backend of the reactor.
pub(crate) fn on_both_backends(test: impl AsyncFn() + Sync) {
    on_fast_backend(&test);
    on_thread("portable backend", || {
        reactor::use_portable();
        run(test());
    });
}

/// Runs `test` on a loop with the fast backend.
#[cfg(target_os = "linux")]
pub(crate) fn on_fast_backend(test: impl AsyncFn() + Sync) {
    on_thread("fast backend", || run(test()));
}

/// This system has no fast backend.
#[cfg(not(target_os = "linux"))]
pub(crate) fn on_fast_backend(_: impl AsyncFn() + Sync) {}

/// Runs `test`, and the end of its thread, on a thread of its own.
pub(crate) fn on_thread(name: &str, test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

/// Runs `future` on this thread's loop.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    if timer::is_virtual() {
        // Under virtual time, the limit could interfere with the test.
        return IOLoop::current().run_sync(future).unwrap();
    }
    let began = Instant::now();
    let output = IOLoop::current().run_sync(timeout(HANGS, future)).unwrap().expect("it hangs");
    // The limit wakes the future, too, which may then find data without an event.
    assert!(began.elapsed() < HANGS / 2, "only the limit woke it");
    output
}

/// Connects to a listener on this machine.
#[expect(clippy::disallowed_methods, reason = "the kernel answers at once")]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// A waker that calls a function.
pub(crate) fn waker_of(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Calls<F>(F);

    impl<F: Fn() + Send + Sync> Wake for Calls<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    Waker::from(Arc::new(Calls(wake)))
}

/// Runs `test` and returns the lines that this thread logged meanwhile.
pub(crate) fn logged(test: impl FnOnce()) -> Vec<String> {
    let recorder = Recorder::default();
    let lines = Arc::clone(&recorder.lines);
    tracing::subscriber::with_default(recorder, test);
    let lines = lines.lock().unwrap();
    lines.clone()
}

#[derive(Default)]
struct Recorder {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(self, event.metadata()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a Recorder, &'static Metadata<'static>);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let line = format!("{} {}: {value:?}", self.1.level(), self.1.target());
            self.0.lines.lock().unwrap().push(line);
        }
    }
}
