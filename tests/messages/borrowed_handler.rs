//~ ERROR 19: `greeting` does not live long enough
//~ NOTE: argument requires that `greeting` is borrowed for `'static`

use squall::{Context, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello<'a> {
    greeting: &'a str,
}

impl RequestHandler for Hello<'_> {
    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write(self.greeting)
    }
}

fn main() {
    let greeting = String::from("Hello, world");
    let _ = route("/", Hello { greeting: &greeting });
}
