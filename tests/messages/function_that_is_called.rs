//~ ERROR 11: this is not a function that a route can call
//~ NOTE: expected an `async fn` with at most eight parameters after the context

use squall::{get, route};

async fn hello() -> &'static str {
    "Hello, world"
}

fn main() {
    let _ = route("/", get(hello()));
}
