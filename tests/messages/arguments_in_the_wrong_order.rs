//~ ERROR 21: `&mut squall::Context` cannot be a parameter of a function that answers requests
//~ NOTE: `cx: &mut Context` is the first parameter, by `&mut`
//~ ERROR 22: `&mut squall::Context` cannot be a parameter of a function that answers requests
//~ NOTE: `cx: &mut Context` is the first parameter, by `&mut`

use squall::{Context, Result, get, route};

async fn context_last(id: u64, cx: &mut Context) -> Result {
    cx.write(id.to_string())
}

async fn context_between(id: u64, cx: &mut Context, _name: String) -> Result {
    cx.write(id.to_string())
}

async fn context_left_out(id: u64) -> String {
    id.to_string()
}

fn main() {
    let _ = route("/{id}", get(context_last));
    let _ = route("/{id}/{name}", get(context_between));
    let _ = route("/{id}", get(context_left_out));
}
