//~ WARNING 7: unused `Result` that must be used
//~ NOTE: this `Result` may be an `Err` variant, which should be handled

use squall::{Context, Result, get, route};

async fn hello(cx: &mut Context) -> Result {
    cx.write("Hello, ");
    cx.write("world")
}

fn main() {
    let _ = route("/", get(hello));
}
