//~ ERROR 10: method `write_error` has an incompatible type for trait
//~ NOTE: found future

use squall::{Context, Error, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.write(error.status().as_str())
    }
}

fn main() {
    let _ = route("/", Hello);
}
