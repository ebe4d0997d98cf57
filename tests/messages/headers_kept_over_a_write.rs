//~ ERROR 9: cannot borrow `*cx` as mutable because it is also borrowed as immutable
//~ NOTE: immutable borrow later used by call

use squall::{Context, Result, get, route};

async fn show(cx: &mut Context) -> Result {
    let value =
        cx.headers().get("user-agent").map_or("", |value| value.to_str().unwrap_or_default());
    cx.write(value)
}

fn main() {
    let _ = route("/", get(show));
}
