//~ ERROR 16: this is not a function that a route can call
//~ NOTE: a `RequestHandler` is its own row: `route("/", Handler)`, without `get`

use squall::{Context, RequestHandler, Result, get, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", get(Hello));
}
