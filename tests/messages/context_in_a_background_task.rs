//~ ERROR 11: borrowed data escapes outside of method
//~ NOTE: `cx` escapes the method body here

use squall::{Context, IOLoop, RequestHandler, Result, route};

#[derive(Clone)]
struct Hello;

impl RequestHandler for Hello {
    async fn get(&mut self, cx: &mut Context) -> Result {
        IOLoop::current().spawn_callback(async move {
            let _ = cx.write("Hello, world");
        });
        Ok(())
    }
}

fn main() {
    let _ = route("/", Hello);
}
