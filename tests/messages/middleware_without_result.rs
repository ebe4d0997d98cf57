//~ ERROR 11: ::Output == Result<(), 
//~ NOTE: expected `Result<(), Error>`, found `()`

use squall::{Application, Context, Next};

async fn count(cx: &mut Context, next: Next<'_>) {
    let _ = next.run(cx).await;
}

fn main() {
    let _ = Application::new([]).around(count);
}
