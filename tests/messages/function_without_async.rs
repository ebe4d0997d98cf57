//~ ERROR 11: this is not a function that a route can call
//~ NOTE: expected an `async fn` with at most eight parameters after the context

use squall::{Context, Result, get, route};

fn hello(cx: &mut Context) -> Result {
    cx.write("Hello, world")
}

fn main() {
    let _ = route("/", get(hello));
}
