//~ ERROR 11: {hello}` cannot answer the requests of a route
//~ NOTE: for a function, name its method: `route("/", get(function))`

use squall::{Context, Result, route};

async fn hello(cx: &mut Context) -> Result {
    cx.write("Hello, world")
}

fn main() {
    let _ = route("/", hello);
}
