//~ ERROR 10: to be a future that resolves to `Result<(), Error>`, but it resolves to `()`
//~ NOTE: expected `Result<(), Error>`, found `()`

use squall::{Context, RequestHandler, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &mut Context) {
        let _ = cx.write("Hello, world");
    }
}

fn main() {
    let _ = route("/", Hello);
}
