//~ ERROR 7: type annotations needed
//~ NOTE: cannot infer type

use squall::{get, route};

fn main() {
    let _ = route("/", get(async |cx| cx.write("Hello, world")));
}
