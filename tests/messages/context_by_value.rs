//~ ERROR 11: this is not a function that a route can call
//~ NOTE: expected `async fn()`, or `async fn(&mut Context, A, B, C)`

use squall::{Context, Result, get, route};

async fn hello(mut cx: Context) -> Result {
    cx.write("Hello, world")
}

fn main() {
    let _ = route("/", get(hello));
}
