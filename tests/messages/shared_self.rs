//~ ERROR 10: method `get` has an incompatible type for trait
//~ NOTE: change the self-receiver type to match the trait

use squall::{Context, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn get(&self, cx: &mut Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello);
}
