//~ ERROR 11: a function that answers requests cannot fail with `String`
//~ NOTE: return `squall::Result<_>`: `?` turns every standard error into its error

use squall::{Context, get, route};

async fn answer(_: &mut Context) -> Result<&'static str, String> {
    Ok("42")
}

fn main() {
    let _ = route("/", get(answer));
}
