//~ ERROR 17: `Vec<u8>` cannot be a parameter of a function that answers requests
//~ NOTE: `Vec<u8>` is neither a path argument (`FromStr`, owned: `String`, not `&str`) nor read from the request
//~ ERROR 18: `&str` cannot be a parameter of a function that answers requests
//~ NOTE: `&str` is neither a path argument (`FromStr`, owned: `String`, not `&str`)

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
