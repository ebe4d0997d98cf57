//~ ERROR 7: `?` couldn't convert the error: `StatusCode: StandardError` is not satisfied
//~ NOTE: for another status, use an `HTTPError`

use squall::{Context, Result, StatusCode, get, route};

async fn show(cx: &mut Context) -> Result {
    let agent = cx.header("user-agent").ok_or(StatusCode::BAD_REQUEST)?;
    cx.write(agent)
}

fn main() {
    let _ = route("/", get(show));
}
