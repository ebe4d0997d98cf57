//~ ERROR 8: the `?` operator can only be applied to values that implement `Try`
//~ NOTE: consider `await`ing on the `Future`

use squall::{Context, Result, get, route};

async fn hello(cx: &mut Context) -> Result {
    cx.write("Hello, ")?;
    cx.flush()?;
    cx.write("world")
}

fn main() {
    let _ = route("/", get(hello));
}
