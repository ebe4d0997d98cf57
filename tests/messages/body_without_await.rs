//~ ERROR 9: `Body` cannot be written to a response
//~ NOTE: for what has to be waited for: `.await?`
//~ ERROR 13: the `?` operator can only be applied to values that implement `Try`
//~ NOTE: cannot be applied to type `Body`

use squall::{Context, Result, post, route};

async fn echo(cx: &mut Context) -> Result {
    cx.write(cx.body())
}

async fn question_mark(cx: &mut Context) -> Result {
    cx.write(cx.body()?)
}

fn main() {
    let _ = route("/", post(echo).put(question_mark));
}
