//~ ERROR 8: expected a closure that implements the `AsyncFn` trait, but this closure only implements `AsyncFnOnce`
//~ NOTE: because it moves the variable `greeting` out of its environment

use squall::{Context, get, route};

fn main() {
    let greeting = String::from("Hello, world");
    let _ = route("/", get(async move |cx: &mut Context| cx.write(greeting)));
}
