//! What the parts of a request cost, each by itself.
//!
//! `cargo bench --bench micro [-- NAME]` runs all of these, or those whose name contains NAME, and
//! prints times. `cargo test --bench micro` runs each once. What a whole request costs is what
//! `benches/budget` counts.

mod heads;
mod responses;
mod routes;
mod tasks;
mod timers;

fn main() {
    divan::main();
}
