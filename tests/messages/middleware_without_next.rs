//~ ERROR 8: closure is expected to take 2 arguments, but it takes 1 argument
//~ NOTE: expected closure that takes 2 arguments

use squall::{Application, Context};

fn main() {
    let app = Application::new([]);
    let _ = app.around(async |cx: &mut Context| cx.set_header("X-Powered-By", "Squall"));
}
