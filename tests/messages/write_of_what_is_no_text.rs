//~ ERROR 13: `{integer}` cannot be written to a response
//~ NOTE: make text of a number by `.to_string()`
//~ ERROR 17: Text>` cannot be written to a response
//~ NOTE: neither text nor bytes
//~ ERROR 21: `&Story` cannot be written to a response
//~ NOTE: for a value as JSON: `cx.json(&value)`

use squall::{Context, Result, get, route};

struct Story;

async fn number(cx: &mut Context) -> Result {
    cx.write(42)
}

async fn option(cx: &mut Context) -> Result {
    cx.write(cx.header("user-agent"))
}

async fn story(cx: &mut Context) -> Result {
    cx.write(&Story)
}

fn main() {
    let _ = route("/", get(number).post(option).put(story));
}
