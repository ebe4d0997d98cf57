//! The end: ordered, and not.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::clients::Clients;
use crate::http::Connection;
use crate::{must, server};

pub(crate) fn term() -> io::Result<()> {
    let (program, port) = server::start("two")?;
    server::workers(&program, 2);
    let clients = Clients::start(port);
    clients.await_answers(1000);
    clients.expect_end();
    let start = Instant::now();
    program.signal(Signal::SIGTERM);
    let seen = clients.join();
    let (status, _) = program.ended();
    println!("  ended under load within {:?}, {status}", start.elapsed());
    seen.print();
    must(seen.failed() == 0 && seen.cut() == 0, "what was accepted was not answered")?;
    must(status.success(), "the exit status is not 0")?;

    let (program, port) = server::start("term")?;
    server::workers(&program, 2);
    let mut stream = Connection::open(port)?;
    stream.send("GET", "/hour", "", b"")?;
    stream.response()?; // Its head.
    let start = Instant::now();
    program.signal(Signal::SIGTERM);
    program.expect("GET /hour is cut");
    let (status, _) = program.ended();
    println!("  with a stream of an hour and a limit of 5 s: {:?}, {status}", start.elapsed());
    must(status.success(), "the exit status is not 0")
}

pub(crate) fn orphans() -> io::Result<()> {
    let (program, port) = server::start("kills")?;
    server::workers(&program, 4);
    let start = Instant::now();
    program.signal(Signal::SIGKILL);
    let is_gone = program.has_ended_within(Duration::from_secs(1));
    println!("  all workers have ended {:?} after their supervisor was killed", start.elapsed());
    let address = ([127, 0, 0, 1], port).into();
    let refused = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    must(is_gone, "an orphan is left")?;
    must(
        refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused),
        "somebody listens",
    )
}
