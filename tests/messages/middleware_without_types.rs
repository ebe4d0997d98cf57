//~ ERROR 8: type annotations needed
//~ NOTE: consider giving this closure parameter an explicit type

use squall::Application;

fn main() {
    let app = Application::new([]);
    let _ = app.around(|cx, next| async move { next.run(cx).await });
}
