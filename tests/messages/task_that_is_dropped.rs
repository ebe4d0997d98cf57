//~ WARNING 9: unused `Task` that must be used
//~ NOTE: a task is cancelled when it is dropped: await it, or call `detach`

use std::time::Duration;

use squall::{Context, IOLoop, Result, get, route, sleep};

async fn start(cx: &mut Context) -> Result {
    IOLoop::current().spawn(async {
        sleep(Duration::from_secs(1)).await;
        println!("never reached");
    });
    cx.write("started")
}

fn main() {
    let _ = route("/", get(start));
}
