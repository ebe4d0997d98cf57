//~ ERROR 17: an argument of a request cannot be parsed as `Vec<u8>`
//~ NOTE: `Vec<u8>` does not implement `FromStr`
//~ ERROR 18: an argument of a request cannot be parsed as `&str`
//~ NOTE: `String` (not `&str`) and every other type that implements `FromStr`

use squall::{Context, Result, get, route};

async fn bytes(cx: &mut Context, id: Vec<u8>) -> Result {
    cx.write(id)
}

async fn text(cx: &mut Context, _id: u64, name: &str) -> Result {
    cx.write(name)
}

fn main() {
    let _ = route("/{id}", get(bytes));
    let _ = route("/{id}/{name}", get(text));
}
