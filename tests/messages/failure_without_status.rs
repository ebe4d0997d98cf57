//~ ERROR 23: a function that answers requests cannot fail with `NoteError`
//~ NOTE: or give the type a status: `impl squall::Failure for NoteError`

use std::fmt;

use squall::{get, route};

#[derive(Debug)]
struct NoteError;

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such note")
    }
}
impl std::error::Error for NoteError {}

async fn show() -> Result<&'static str, NoteError> {
    Err(NoteError)
}

fn main() {
    let _ = route("/", get(show));
}
