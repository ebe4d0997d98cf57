//~ ERROR 13: borrowed data escapes outside of method
//~ NOTE: `self` escapes the method body here

use squall::{Context, IOLoop, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello {
    greeting: String,
}

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &mut Context) -> Result {
        IOLoop::current().spawn_callback(async { println!("{}", self.greeting) });
        cx.write("Hello, world")
    }
}

fn main() {
    let _ = route("/", Hello { greeting: String::new() });
}
