//~ ERROR 7: mismatched types
//~ NOTE: call `Into::into` on this expression to convert `HTTPError` into `squall::Error`

use squall::{Context, HTTPError, Result, get, route};

async fn show(_: &mut Context) -> Result {
    Err(HTTPError::NOT_FOUND)
}

fn main() {
    let _ = route("/", get(show));
}
