//~ WARNING 8: that must be used
//~ NOTE: futures do nothing unless you `.await` or poll them

use squall::{Context, Result, get, route};

async fn hello(cx: &mut Context) -> Result {
    cx.write("Hello, ")?;
    cx.flush();
    cx.write("world")
}

fn main() {
    let _ = route("/", get(hello));
}
