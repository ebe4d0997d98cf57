//! Work that goes on after its request was answered, and a clock that ticks beside it.
//!
//! Run it: `cargo run --example background`
//! Try it: `curl -i -X POST localhost:8000/jobs` answers at once with the address of a job;
//!         `curl localhost:8000/jobs/1` shows how far it is, again and again;
//!         `curl localhost:8000/uptime` shows what the ticking has counted.
//!
//! The job is a task on the loop of the worker: it counts to 100 and sleeps in between, and
//! other requests are served meanwhile. What keeps a core busy belongs into
//! `IOLoop::run_in_executor`, on a thread of its own.
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use squall::{
    Application, Context, HTTPError, HTTPServer, IOLoop, PeriodicCallback, Result, StatusCode, get,
    post, route, sleep,
};

mod support;

/// The percentage of each job that is done.
type Jobs = Rc<RefCell<Vec<u8>>>;

/// So many jobs are remembered.
const MAX_JOBS: usize = 10_000;

async fn run(jobs: Jobs, index: usize) {
    for percent in 1..=100 {
        sleep(Duration::from_millis(100)).await;
        jobs.borrow_mut()[index] = percent;
    }
}

async fn start_job(cx: &mut Context, jobs: &Jobs) -> Result {
    let id = jobs.borrow().len() + 1;
    if id > MAX_JOBS {
        Err(HTTPError::SERVICE_UNAVAILABLE)?;
    }
    jobs.borrow_mut().push(0);
    IOLoop::current().spawn_callback(run(Rc::clone(jobs), id - 1));
    cx.set_status(StatusCode::ACCEPTED);
    cx.set_header("Location", format!("/jobs/{id}"))?;
    cx.write(format!("job {id} has begun\n"))
}

async fn show_job(cx: &mut Context, jobs: &Jobs, id: usize) -> Result {
    let percent = id.checked_sub(1).and_then(|index| jobs.borrow().get(index).copied());
    let percent = percent.ok_or(HTTPError::NOT_FOUND)?;
    cx.write(format!("job {id}: {percent} %\n"))
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let (jobs, seconds) = (Jobs::default(), Rc::new(Cell::new(0_u64)));
    let (started, shown, ticked) = (Rc::clone(&jobs), jobs, Rc::clone(&seconds));
    let app = Application::new([
        route("/jobs", post(async move |cx: &mut Context| start_job(cx, &started).await)),
        route(
            "/jobs/{id}",
            get(async move |cx: &mut Context, id: usize| show_job(cx, &shown, id).await),
        ),
        route("/uptime", get(async move || format!("{} seconds\n", seconds.get()))),
    ]);
    HTTPServer::new(app).bind(port)?.start(1)?;
    println!("http://localhost:{port}");

    let tick = PeriodicCallback::new(Duration::from_secs(1), async move || {
        ticked.set(ticked.get() + 1);
    });
    tick.start();
    IOLoop::current().start()
}
