//~ ERROR 11: `?` couldn't convert the error: `String: StandardError` is not satisfied
//~ NOTE: `.or_500()?` makes a 500 of it

use squall::{Context, Result, get, route};

fn load() -> Result<&'static str, String> {
    Err(String::from("nothing to load"))
}

async fn show(cx: &mut Context) -> Result {
    cx.write(load()?)
}

fn main() {
    let _ = route("/", get(show));
}
