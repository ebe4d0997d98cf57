//~ ERROR 13: the method `or_500` exists for enum `Result<String, Broken>`, but its trait bounds were not satisfied
//~ NOTE: consider annotating `Broken` with `#[derive(Debug)]`

use squall::{Context, Or500, Result, get, route};

struct Broken;

fn load() -> Result<String, Broken> {
    Err(Broken)
}

async fn show(cx: &mut Context) -> Result {
    cx.write(load().or_500()?)
}

fn main() {
    let _ = route("/", get(show));
}
