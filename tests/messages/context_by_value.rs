//~ ERROR 11: `squall::Context` cannot be a parameter of a function that answers requests
//~ NOTE: `squall::Context` is neither `&mut Context`, nor a path argument

use squall::{Context, Result, get, route};

async fn hello(mut cx: Context) -> Result {
    cx.write("Hello, world")
}

fn main() {
    let _ = route("/", get(hello));
}
