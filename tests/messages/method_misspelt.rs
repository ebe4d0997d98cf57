//~ ERROR 10: method `gett` is not a member of trait `RequestHandler`
//~ NOTE: there is an associated function with a similar name: `get`

use squall::{Context, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn gett(&mut self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello);
}
