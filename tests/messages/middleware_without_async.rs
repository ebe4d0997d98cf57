//~ ERROR 8: lifetime may not live long enough
//~ NOTE: contains a lifetime

use squall::{Application, Context, Next};

fn main() {
    let app = Application::new([]);
    let app = app.around(|cx: &mut Context, next: Next<'_>| async move { next.run(cx).await });
    let _ = app;
}
