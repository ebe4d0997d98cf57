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
    /// Where those that run were spawned.
    running: Vec<&'static Location<'static>>,
    /// Who waits for the last one.
    waiting: Option<Waker>,
}

/// Runs `future` beside whatever else the loop does, as [`IOLoop::spawn_callback`] does; but the
/// graceful end of the servers of this process waits for it, as it does for requests. What is
/// left at the [`shutdown_timeout`](crate::HTTPServer::shutdown_timeout) is cancelled where it
/// waits, and named in the log by the line that called this.
///
/// For what a request has set off and nobody waits for: an e-mail, a line in a journal. What never
/// ends by itself does not belong here.
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

/// The same, by a line that has asked for it.
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

/// Waits until none runs.
pub(super) fn finished() -> impl Future<Output = ()> {
    std::future::poll_fn(|task| {
        if BACKGROUND.with_borrow(|background| background.running.is_empty()) {
            return Poll::Ready(());
        }
        let waker = task.waker().clone();
        // What goes with the one before may be a background task.
        drop(BACKGROUND.with_borrow_mut(|background| background.waiting.replace(waker)));
        Poll::Pending
    })
}

/// Tells which are cut off.
pub(super) fn name_unfinished() {
    let running = BACKGROUND.with_borrow(|background| background.running.clone());
    for place in running {
        let text = format_args!("the background task of {place} is cancelled: it took too long");
        log::warn(log::GENERAL, text);
    }
}

/// It runs for as long as this lives, which the thread's end may be the end of.
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
