//! Four workers, and what runs where.
//!
//! Run it: `cargo run --example workers`
//! Try it: `curl localhost:8000` a few times: the pid and the task id change;
//!         `kill -9` one of the pids: the supervisor says so and replaces it;
//!         `kill -HUP` the supervisor: it replaces all of them, one after the other;
//!         `kill -TTIN` and `kill -TTOU`: one more, one fewer;
//!         `kill` the supervisor, or ^C: all of them finish what they serve, and end.
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::io;
use std::process;

use squall::process::task_id;
use squall::{Application, HTTPServer, IOLoop, get, route};

mod support;

async fn who() -> String {
    let id = task_id().map_or_else(|| "none".to_owned(), |id| id.to_string());
    format!("pid {}, task id {id}\n", process::id())
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    // Before `start`: once. The place to read configuration and to bind; not for threads, or for
    // an IOLoop: those do not survive a fork, and `start` would refuse.
    println!("supervisor {}", process::id());
    // `with` builds the application in each worker: connections to databases belong there.
    let server = HTTPServer::with(|| Application::new([route("/", get(who))]));
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(4)?;
    // After `start`: in every worker, and in each that replaces one; never in the supervisor.
    println!("worker {} begins, task id {:?}", process::id(), task_id());
    IOLoop::current().start()?;
    println!("worker {} ends", process::id());
    Ok(())
}
