//~ ERROR 7: lifetime may not live long enough
//~ NOTE: contains a lifetime

use squall::{Context, get, route};

fn main() {
    let _ = route("/", get(|cx: &mut Context| async move { cx.write("Hello, world") }));
}
