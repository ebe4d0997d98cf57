//~ ERROR 8: `greeting` does not live long enough
//~ NOTE: argument requires that `greeting` is borrowed for `'static`

use squall::{Context, get, route};

fn main() {
    let greeting = String::from("Hello, world");
    let _ = route("/", get(async |cx: &mut Context| cx.write(&greeting)));
}
