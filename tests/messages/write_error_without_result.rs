//~ ERROR 10: method `write_error` has an incompatible type for trait
//~ NOTE: change the output type to match the trait

use squall::{Context, Error, RequestHandler, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    fn write_error(&mut self, cx: &mut Context, error: &Error) {
        let _ = cx.write(error.status().as_str());
    }
}

fn main() {
    let _ = route("/", Hello);
}
