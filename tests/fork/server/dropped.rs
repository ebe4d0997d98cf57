//! Application state with a panicking destructor, when a process ends.

use std::fmt;
use std::rc::Rc;

use nix::sys::signal::Signal;
use squall::{Application, Context, HTTPServer, IOLoop, RequestHandler, Result, get, route};

use super::{serve, who};
use crate::case::Case;
use crate::http::Connection;

/// State that cannot be dropped in peace.
struct Fragile(&'static str);

impl Fragile {
    /// A closure that calls this owns the whole of it.
    fn name(&self) -> &'static str {
        self.0
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("{} breaks", self.0);
    }
}

/// Whatever a user may give to an application.
const ALL: [&str; 7] = [
    "a function",
    "another",
    "a handler",
    "middleware",
    "an error hook",
    "another hook",
    "a state",
];

#[derive(Clone)]
struct Handler(Rc<Fragile>);

impl RequestHandler for Handler {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write(self.0.name())
    }
}

fn application() -> Application {
    let [function, other, handler, middleware, hook, other_hook, state] = ALL.map(Fragile);
    let get_it = async move || function.name();
    let post_it = async move || other.name();
    Application::new([
        route("/", get(who)),
        route("/function", get(get_it).post(post_it)),
        route("/handler", Handler(Rc::new(handler))),
    ])
    .around(async move |cx, next| {
        assert_eq!(middleware.name(), "middleware");
        next.run(cx).await
    })
    .on_error(move |cx, _| cx.write(hook.name()))
    .on_error_of(move |_, _: &fmt::Error| other_hook.name())
    .state(state)
}

/// All is dropped, each process says so in one line of the log and ends with status 0.
fn ends(case: &Case, processes: usize) {
    let server = case.server(|| serve(&HTTPServer::new(application()), processes));
    let port = server.port();
    let serving = super::stop::serving(&server, processes);
    assert_eq!(Connection::open(port).unwrap().get("/handler").unwrap().text(), "a handler");
    server.signal(Signal::SIGTERM);
    for _ in serving {
        server.expect("dropping the application: panic: a function breaks");
    }
    let (status, others) = server.ended();
    for one in ALL {
        let is_dropped = |line: &&String| line.contains(&format!("{one} breaks"));
        // Reports of several processes may mix.
        let count = others.iter().filter(is_dropped).count();
        assert!(processes > 1 || count == 1, "{one} is dropped {count} times");
    }
    // Backtraces are no lines of the log.
    let is_logged =
        |line: &&String| ["ERROR squall", " WARN squall"].iter().any(|level| line.contains(level));
    let logged: Vec<_> = others.iter().filter(is_logged).collect();
    assert!(logged.is_empty(), "{logged:?}");
    assert_eq!(status.code(), Some(0));
}

pub fn a_destructor_that_panics_does_not_abort_one_process(case: &Case) {
    ends(case, 1);
}

pub fn a_destructor_that_panics_does_not_abort_workers(case: &Case) {
    ends(case, 2);
}

pub fn a_hook_that_is_dropped_with_a_panic_does_not_abort_the_process(case: &Case) {
    let server = case.server(|| {
        let app = Application::new([route("/stop", get(async || IOLoop::current().stop()))]);
        let server = HTTPServer::new(app);
        let fragile = Fragile("a hook");
        server.on_drain(async move |_| drop(fragile));
        serve(&server, 1)
    });
    let mut client = Connection::open(server.port()).unwrap();
    client.send("GET", "/stop", "", b"").unwrap();
    server.expect("dropping a hook of `on_drain`: panic: a hook breaks");
    assert_eq!(server.ended().0.code(), Some(0));
}
