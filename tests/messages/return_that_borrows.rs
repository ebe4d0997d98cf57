//~ ERROR 11: this is not a function that a route can call
//~ NOTE: what it returns may not borrow from the context: a `String` for a `&str`

use squall::{Context, get, route};

async fn name(cx: &mut Context) -> &str {
    cx.extension::<String>().map_or("nobody", |name| name.as_str())
}

fn main() {
    let _ = route("/", get(name));
}
