//~ ERROR 9: `Route` is not an iterator
//~ NOTE: `Route` is not an iterator

use squall::{Application, get, route};

async fn hello() {}

fn main() {
    let _ = Application::new(route("/", get(hello)));
}
