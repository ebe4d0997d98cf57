//~ ERROR 15: `Option<Vec<u8>>` cannot be a parameter of a function that answers requests
//~ NOTE: for a type of your own, implement `FromStr` (a path argument) or `squall::FromRequest`

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
