//~ ERROR 9: ::Item == Route`
//~ NOTE: expected `Route`, found `Functions`

use squall::{Application, get};

async fn hello() {}

fn main() {
    let _ = Application::new([get(hello)]);
}
