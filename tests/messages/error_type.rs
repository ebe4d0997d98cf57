//~ ERROR 11: `String` is not a standard error
//~ NOTE: `.or_500()?` makes a 500 of it; for another status, use an `HTTPError`

use squall::{Context, get, route};

async fn answer(_: &mut Context) -> Result<&'static str, String> {
    Ok("42")
}

fn main() {
    let _ = route("/", get(answer));
}
