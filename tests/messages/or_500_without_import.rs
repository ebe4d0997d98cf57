//~ ERROR 11: no method named `or_500` found for enum `Result<T, E>` in the current scope
//~ NOTE: trait `Or500` which provides `or_500` is implemented but not in scope

use squall::{Context, Result, get, route};

fn load() -> Result<String, String> {
    Err(String::from("nothing to load"))
}

async fn show(cx: &mut Context) -> Result {
    cx.write(load().or_500()?)
}

fn main() {
    let _ = route("/", get(show));
}
