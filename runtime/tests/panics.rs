//! Panics of all kinds. The subscriber belongs to the whole process, so this is the only test here:
//! `tracing` may lose lines while subscribers of threads come and go.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use squall_runtime::{IOLoop, PeriodicCallback, sleep, yield_now};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const SECOND: Duration = Duration::from_secs(1);

/// Makes something panic soon.
type Cause = fn(&IOLoop);

/// Keeps log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == squall_runtime::log::APPLICATION.name()
    }
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, _field: &Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?}");
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[test]
fn a_panic_is_logged_once_wherever_it_comes_from_and_the_loop_lives() {
    let sources: [(&str, Cause); 7] = [
        ("a callback", |io_loop| io_loop.add_callback(|| panic!("of a callback"))),
        ("a timeout", |io_loop| {
            io_loop.call_later(Duration::ZERO, || panic!("of a timeout"));
        }),
        ("a coroutine", |io_loop| {
            io_loop.spawn_callback(async {
                yield_now().await;
                panic!("of a coroutine");
            });
        }),
        ("a task without an awaiter", |io_loop| {
            io_loop.spawn(async { panic!("of a task without an awaiter") }).detach();
        }),
        ("a job that blocks", |io_loop| {
            io_loop.spawn_callback(async {
                let _ = IOLoop::current().run_in_executor(|| panic!("of a job that blocks")).await;
            });
        }),
        ("a periodic callback", |_io_loop| {
            let callback = PeriodicCallback::new(10 * SECOND, async || {
                panic!("of a periodic callback");
            });
            callback.start();
            IOLoop::current().call_later(15 * SECOND, move || callback.stop());
        }),
        ("a callback of another thread", |io_loop| {
            let handle = io_loop.handle();
            thread::spawn(move || {
                handle.add_callback(|| panic!("of a callback of another thread")).unwrap();
            })
            .join()
            .unwrap();
        }),
    ];
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let io_loop = IOLoop::current();
    io_loop.use_virtual_time();
    for (name, cause) in sources {
        cause(&io_loop);
        io_loop.run_sync(sleep(20 * SECOND)).unwrap();

        let logged = std::mem::take(&mut *log.0.lock().unwrap());
        assert_eq!(logged.len(), 1, "{name}: {logged:?}");
        assert!(logged[0].contains(&format!("of {name}")), "{logged:?}");
        assert!(logged[0].contains("tests/panics.rs:"), "it says where: {logged:?}");
    }
}
