//~ ERROR 22: this is not a function that a route can call
//~ NOTE: with at most eight parameters after the context

use squall::{Context, Result, get, route};

async fn sum(
    cx: &mut Context,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
) -> Result {
    cx.write([a, b, c, d, e, f, g, h, i].iter().sum::<u8>().to_string())
}

fn main() {
    let _ = route("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", get(sum));
}
