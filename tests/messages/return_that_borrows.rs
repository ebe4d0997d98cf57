//~ ERROR 11: this function cannot answer requests: `cx: &mut Context` comes first, and nothing that is returned borrows from it
//~ NOTE: `-> &str` is `-> String`

use squall::{Context, get, route};

async fn name(cx: &mut Context) -> &str {
    cx.extension::<String>().map_or("nobody", |name| name.as_str())
}

fn main() {
    let _ = route("/", get(name));
}
