//~ ERROR 9: `Rc<i32>` cannot be sent between threads safely
//~ NOTE: required by a bound in

use squall::{Context, IOLoop, Result, get, route};
use std::rc::Rc;

async fn show(cx: &mut Context) -> Result {
    let shared = Rc::new(7);
    let answer = IOLoop::current().run_in_executor(move || *shared * 6).await?;
    cx.write(answer.to_string())
}

fn main() {
    let _ = route("/", get(show));
}
