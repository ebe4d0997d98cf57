//~ ERROR 23: `?` couldn't convert the error: `anyhow::Error: StandardError` is not satisfied
//~ NOTE: no `std::error::Error`: `.or_500()?` makes a 500 of it

use squall::{Context, Result, get, route};

/// What `anyhow::Error` is to the compiler: it is printed, and is no standard error.
mod anyhow {
    #[derive(Debug)]
    pub struct Error;

    impl std::fmt::Display for Error {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("nothing to load")
        }
    }
}

fn load() -> Result<&'static str, anyhow::Error> {
    Err(anyhow::Error)
}

async fn show(cx: &mut Context) -> Result {
    cx.write(load()?)
}

fn main() {
    let _ = route("/", get(show));
}
