//! Shared by the benchmarks: a client that makes requests, and the server in a process of its own.
//!
//! The client is no part of Squall, and does not run on its loop: what is measured must not
//! measure itself. It blocks wherever it can, and waits for many connections by `epoll`.

mod latencies;
mod load;
mod server;

pub use latencies::Latencies;
pub use load::{Connections, Load, Outcome, Until, allow_many_descriptors, get, post, text_frame};
pub use server::Server;
