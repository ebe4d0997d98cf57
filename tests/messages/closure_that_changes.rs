//~ ERROR 10: expected a closure that implements the `AsyncFn` trait, but this closure only implements `AsyncFnMut`
//~ NOTE: because it mutates the variable `count` here

use squall::{Context, get, route};

fn main() {
    let mut count = 0;
    let _ = route(
        "/",
        get(async move |cx: &mut Context| {
            count += 1;
            cx.write(count.to_string())
        }),
    );
}
