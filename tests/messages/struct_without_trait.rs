//~ ERROR 12: `Hello` cannot answer the requests of a route
//~ NOTE: for a struct, implement `RequestHandler`
//~ ERROR 13: `Hello` cannot answer the requests of a route
//~ NOTE: for a struct, implement `RequestHandler`

use squall::{regex, route};

#[derive(Clone)]
struct Hello;

fn main() {
    let _ = route("/", Hello);
    let _ = regex("/", Hello);
}
