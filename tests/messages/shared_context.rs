//~ ERROR 12: method `get` has an incompatible type for trait
//~ NOTE: change the parameter type to match the trait
//~ ERROR 13: cannot borrow `*cx` as mutable, as it is behind a `&` reference
//~ NOTE: so it cannot be borrowed as mutable

use squall::{Context, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &Context) -> Result {
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello);
}
