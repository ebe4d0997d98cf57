//~ ERROR 15: an argument of a request cannot be parsed as `Option<Vec<u8>>`
//~ NOTE: for a path argument that may be absent, take an `Option` of such a type

use squall::{Context, Result, get, regex};

async fn fine(cx: &mut Context, id: Option<u64>) -> Result {
    cx.write(format!("{id:?}"))
}

async fn bytes(cx: &mut Context, id: Option<Vec<u8>>) -> Result {
    cx.write(format!("{id:?}"))
}

fn main() {
    let _ = regex("/(a)?", get(bytes));
    let _ = regex("/b/(a)?", get(fine));
}
