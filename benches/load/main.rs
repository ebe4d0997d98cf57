//! Measures attacks and faults that a server on the internet meets.
//!
//! `cargo bench --bench load [-- NAME..]` runs all of these, or those that are named, each
//! against a server in a process of its own. It judges nothing: machines differ.
//!
//! | name | what |
//! |---|---|
//! | `kept` | 10,000 kept connections, all making requests |
//! | `slow` | a normal client beside 6,000 that send or read a byte now and then |
//! | `resets` | connections that are reset at any moment: what is left of them |
//! | `descriptors` | 1,000 clients and 256 descriptors |
//! | `bytes` | a head of 64 KiB, byte by byte |
//! | `heads` | 10,000 connections that have sent 100 bytes of a head |
//! | `upload` | 1 GiB for a handler that does not read |
//! | `bomb` | 1 MiB that becomes 1 GiB |

use std::io;

use squall::IOLoop;

mod bomb;
mod bytes;
mod client;
mod descriptors;
mod heads;
mod kept;
mod resets;
mod server;
mod slow;
mod upload;

/// All of them, in the order of the table.
const NAMES: [&str; 8] =
    ["kept", "slow", "resets", "descriptors", "bytes", "heads", "upload", "bomb"];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "serve") {
        return server::serve(arguments.get(1));
    }
    client::allow_many_descriptors()?;
    // Cargo has arguments of its own.
    let named = |name: &&str| arguments.iter().any(|argument| argument == name);
    let all = !NAMES.iter().any(named);
    NAMES.iter().filter(|name| all || named(name)).try_for_each(|name| run(name))
}

fn run(name: &str) -> io::Result<()> {
    println!("\n{name}");
    IOLoop::current().run_sync(async {
        match name {
            "kept" => kept::run().await,
            "slow" => slow::run().await,
            "resets" => resets::run().await,
            "descriptors" => descriptors::run().await,
            "bytes" => bytes::run().await,
            "heads" => heads::run().await,
            "upload" => upload::run().await,
            _ => bomb::run().await,
        }
    })?
}
