//~ ERROR 10: `Result<(), squall::Error>` is not a future
//~ NOTE: required by a bound in `RequestHandler::get

use squall::{Context, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello);
}
