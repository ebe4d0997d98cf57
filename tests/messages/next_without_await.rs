//~ ERROR 8: mismatched types
//~ NOTE: expected `Result<(), squall::Error>`, found future

use squall::Application;

fn main() {
    let app = Application::new([]);
    let _ = app.around(async |cx, next| next.run(cx));
}
