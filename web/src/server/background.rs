//! Background tasks that the graceful shutdown waits for.

use std::cell::RefCell;
use std::panic::Location;
use std::task::{Poll, Waker};

use squall_runtime::{IOLoop, log};

thread_local! {
    static BACKGROUND: RefCell<Background> = const {
        RefCell::new(Background { running: Vec::new(), waiting: None })
    };
}

struct Background {
    /// The lines that spawned the running tasks.
    running: Vec<&'static Location<'static>>,
    /// The shutdown, while it waits for the last task.
    waiting: Option<Waker>,
}

/// Runs `future` in a task of its own that the graceful shutdown waits for.
///
/// Like [`IOLoop::spawn_callback`], but the shutdown of this process waits for the task as it does
/// for requests. At the [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout) the task is
/// cancelled at its `await`, and the log names the line that called `spawn_background`.
///
/// Use it for work that a request starts and does not wait for: an e-mail, a journal entry. Do not
/// use it for a task that never ends by itself.
///
/// # Examples
///
/// ```
/// use squall::testing::TestClient;
/// use squall::{Application, get, route, spawn_background};
///
/// async fn order() -> &'static str {
///     spawn_background(async { println!("the confirmation is sent") });
///     "thank you"
/// }
///
/// let app = Application::new([route("/order", get(order))]);
/// assert_eq!(TestClient::new(app).get("/order").send().text(), "thank you");
/// ```
#[track_caller]
pub fn spawn_background(future: impl Future<Output = ()> + 'static) {
    spawn_from(Location::caller(), future);
}

/// Like [`spawn_background`], but for a given line.
pub(super) fn spawn_from(
    place: &'static Location<'static>,
    future: impl Future<Output = ()> + 'static,
) {
    let running = Running::begin(place);
    let task = async move {
        let _running = running;
        future.await;
    };
    IOLoop::current().spawn_from(place, task).detach();
}

/// Waits until no background task runs.
pub(super) fn finished() -> impl Future<Output = ()> {
    std::future::poll_fn(|task| {
        if BACKGROUND.with_borrow(|background| background.running.is_empty()) {
            return Poll::Ready(());
        }
        let waker = task.waker().clone();
        // Dropping the previous waker may drop a background task, which borrows the list.
        drop(BACKGROUND.with_borrow_mut(|background| background.waiting.replace(waker)));
        Poll::Pending
    })
}

/// Logs the tasks that are cancelled.
pub(super) fn name_unfinished() {
    let running = BACKGROUND.with_borrow(|background| background.running.clone());
    for place in running {
        let text = format_args!(
            "the background task of {place} is cancelled: it exceeded shutdown_timeout"
        );
        log::warn(log::GENERAL, text);
    }
}

/// Lists a task while it lives. The end of the thread may drop it.
struct Running(&'static Location<'static>);

impl Running {
    fn begin(place: &'static Location<'static>) -> Self {
        BACKGROUND.with_borrow_mut(|background| background.running.push(place));
        Self(place)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let end = |background: &RefCell<Background>| {
            let mut background = background.borrow_mut();
            let place = background.running.iter().position(|place| *place == self.0);
            if let Some(place) = place {
                background.running.swap_remove(place);
            }
            background.running.is_empty().then(|| background.waiting.take())
        };
        // The thread may be ending.
        if let Ok(Some(Some(waiting))) = BACKGROUND.try_with(end) {
            waiting.wake();
        }
    }
}
