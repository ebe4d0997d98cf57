//~ ERROR 7: an argument of a request cannot be parsed as `!`
//~ NOTE: if no type is named, name one: `let id: u64 = cx.path_argument("id")?`

use squall::{Context, Result, get, route};

async fn show(cx: &mut Context) -> Result {
    let id = cx.path_argument("id")?;
    cx.write(format!("{id}"))
}

fn main() {
    let _ = route("/{id}", get(show));
}
