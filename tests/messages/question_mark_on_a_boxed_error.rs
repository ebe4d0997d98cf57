//~ ERROR 11: `?` couldn't convert the error: `Box<dyn std::error::Error>: StandardError` is not satisfied
//~ NOTE: `.or_500()?` makes a 500 of it

use squall::{Context, Result, get, route};

fn load() -> Result<String, Box<dyn std::error::Error>> {
    Ok(std::fs::read_to_string("story")?)
}

async fn show(cx: &mut Context) -> Result {
    cx.write(load()?)
}

fn main() {
    let _ = route("/", get(show));
}
