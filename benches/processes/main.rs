//! Measures which faults a server of several processes survives.
//!
//! `cargo bench --bench processes [-- NAME..]` runs all of these, or those that are named, each
//! against a server in processes of its own. What clients must never see ends it with an error.
//!
//! | name | what |
//! |---|---|
//! | `kills` | a worker of four is killed every 200 ms, for a minute, under load |
//! | `queued` | 100 connections wait for workers that are suspended, and then killed |
//! | `reloads` | 50 times all workers are replaced one by one, under load |
//! | `scaling` | 200 times there is one worker fewer and then one more, under load |
//! | `upgrades` | 10 times a new program takes the place of the server, under load |
//! | `hang` | one worker of two hangs for 30 s, and 100 clients come meanwhile |
//! | `unix` | 64 kept connections over a Unix socket of two workers |
//! | `term` | the graceful end, under load and with a stream that would last an hour |
//! | `orphans` | the supervisor is killed |

use std::io;

mod clients;
mod end;
#[path = "../../tests/support/http.rs"]
mod http;
mod kills;
#[path = "../../tests/support/program.rs"]
mod program;
mod replaced;
mod server;
mod stuck;
mod unix;
mod upgraded;

type Run = fn() -> io::Result<()>;

/// All of them, in the order of the table.
const ALL: [(&str, Run); 9] = [
    ("kills", kills::run),
    ("queued", stuck::queued),
    ("reloads", replaced::reloads),
    ("scaling", replaced::scaling),
    ("upgrades", upgraded::upgrades),
    ("hang", stuck::hang),
    ("unix", unix::run),
    ("term", end::term),
    ("orphans", end::orphans),
];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "serve") {
        return server::serve(&arguments[1]);
    }
    // Cargo has arguments of its own.
    let is_named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !ALL.iter().any(|(name, _)| is_named(name));
    for (name, run) in ALL.iter().filter(|(name, _)| all || is_named(name)) {
        println!("\n{name}");
        run()?;
    }
    Ok(())
}

/// Ends the run if what must be is not.
fn must(is_so: bool, what: &str) -> io::Result<()> {
    if is_so { Ok(()) } else { Err(io::Error::other(what.to_owned())) }
}
