//~ ERROR 11: this is not a function that a route can call
//~ NOTE: with at most three path arguments

use squall::{Context, Result, get, route};

async fn sum(cx: &mut Context, a: u8, b: u8, c: u8, d: u8) -> Result {
    cx.write((a + b + c + d).to_string())
}

fn main() {
    let _ = route("/{a}/{b}/{c}/{d}", get(sum));
}
