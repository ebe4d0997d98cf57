//! The panic hook. It reports a panic like the standard hook, but never waits for the reader of
//! standard error. It also notes the location of the panic for the log.
//!
//! It is installed when a loop first runs, or before the process forks. If the program has
//! installed a hook before, that hook makes the report. A hook that is installed later replaces
//! this one.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::env;
use std::fmt::Write as _;
use std::panic::{self, PanicHookInfo};
use std::process;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::log;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// This process belongs to a server. Other processes, such as a test harness, may redirect the
/// output of the standard hook, so they use that hook.
static OWNS_PROCESS: AtomicBool = AtomicBool::new(false);

/// The messages of panics after which the standard library aborts. It writes one more line before
/// it aborts, which may wait.
const ABORTING: [&str; 2] =
    ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

thread_local! {
    /// The message of the last panic of this thread, and its location.
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Installs the hook where a loop runs, for the whole process if this is its main thread.
pub(crate) fn install() {
    if thread::current().name() == Some("main") {
        OWNS_PROCESS.store(true, Ordering::Relaxed);
    }
    install_once();
}

/// Installs the hook in a process that becomes a supervisor, and in its workers.
pub(crate) fn install_in_server() {
    OWNS_PROCESS.store(true, Ordering::Relaxed);
    install_once();
}

/// Returns the location of the panic with this payload, as `file:line:column`.
///
/// Returns `None` if another thread raised it, if this thread has panicked again since, or if the
/// program has installed its own hook after the loop first ran.
///
/// # Examples
///
/// ```
/// use std::panic::catch_unwind;
///
/// use squall_runtime::{IOLoop, panic_location};
///
/// IOLoop::current().run_sync(async {
///     let panic = catch_unwind(|| panic!("no luck")).unwrap_err();
///     assert!(panic_location(&*panic).is_some());
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn panic_location(payload: &(dyn Any + Send)) -> Option<String> {
    let text = message(payload)?;
    let last = LAST.try_with(|last| last.borrow().clone()).ok().flatten();
    last.filter(|(message, _)| *message == text).map(|(_, location)| location)
}

fn install_once() {
    static INSTALLED: Once = Once::new();
    // A thread that is panicking must not change the hook.
    if thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let installed = panic::take_hook();
        // The first call removed a hook of the program, so this is the standard one.
        let standard = panic::take_hook();
        let is_standard = is_same(&installed, &standard);
        panic::set_hook(Box::new(move |info| {
            note(info);
            if !is_standard {
                installed(info);
            } else if OWNS_PROCESS.load(Ordering::Relaxed) || !log::has_room() {
                report(info);
            } else {
                standard(info);
            }
        }));
    });
}

/// Returns whether both are the same function. Neither has data, so only their vtables distinguish
/// them.
fn is_same(one: &Hook, other: &Hook) -> bool {
    size_of_val(&**one) == 0 && ptr::eq(&raw const **one, &raw const **other)
}

fn note(info: &PanicHookInfo<'_>) {
    let (Some(message), Some(location)) = (message(info.payload()), info.location()) else {
        return;
    };
    let last = (message.to_owned(), location.to_string());
    let _ = LAST.try_with(|place| place.replace(Some(last)));
}

fn report(info: &PanicHookInfo<'_>) {
    let text = message(info.payload()).unwrap_or("(its payload is not a string)");
    // The thread has no name any more while its thread-locals are destroyed.
    let thread = LAST.try_with(|_| thread::current()).ok();
    let name = thread.as_ref().and_then(|thread| thread.name());
    let mut report = format!("thread '{}' panicked", name.unwrap_or("<unnamed>"));
    if let Some(location) = info.location() {
        let _ = write!(report, " at {location}");
    }
    let _ = writeln!(report, ":\n{text}");
    if wants_backtrace() {
        let _ = write!(report, "stack backtrace:\n{}", Backtrace::force_capture());
    }
    log::write(report.as_bytes());
    if ABORTING.contains(&text) {
        process::abort();
    }
}

fn wants_backtrace() -> bool {
    env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
}

fn message(payload: &dyn Any) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
