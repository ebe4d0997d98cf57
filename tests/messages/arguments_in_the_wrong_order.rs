//~ ERROR 17: this is not a function that a route can call
//~ NOTE: expected `async fn()`, or `async fn(&mut Context, A, B, C)` with at most three path arguments
//~ ERROR 18: this is not a function that a route can call
//~ NOTE: expected `async fn()`, or `async fn(&mut Context, A, B, C)` with at most three path arguments

use squall::{Context, Result, get, route};

async fn context_last(id: u64, cx: &mut Context) -> Result {
    cx.write(id.to_string())
}

async fn context_left_out(id: u64) -> String {
    id.to_string()
}

fn main() {
    let _ = route("/{id}", get(context_last));
    let _ = route("/{id}", get(context_left_out));
}
