//~ ERROR 7: the `?` operator can only be used on `Result`s, not `Option`s, in an async function that returns `Result`
//~ NOTE: use `.ok_or(...)?`

use squall::{Context, Result, get, route};

async fn agent(cx: &mut Context) -> Result {
    let agent = cx.header("user-agent")?;
    cx.write(agent)
}

fn main() {
    let _ = route("/", get(agent));
}
