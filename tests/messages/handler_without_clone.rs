//~ ERROR 8: the trait bound `Hello: Clone` is not satisfied
//~ NOTE: consider annotating `Hello` with `#[derive(Clone)]`

use squall::{Context, RequestHandler, Result, route};

struct Hello;

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello);
}
