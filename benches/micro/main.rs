//! Measures the parts of a request, each by itself.
//!
//! `cargo bench --bench micro [-- NAME]` runs all of these, or those whose name contains NAME, and
//! prints times. `cargo test --bench micro` runs each once. `benches/budget` counts the cost of a
//! whole request.

mod heads;
mod responses;
mod routes;
mod tasks;
mod timers;

fn main() {
    divan::main();
}
