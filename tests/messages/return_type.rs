//~ ERROR 17: `u64` is not a response
//~ NOTE: return text, bytes, `Json<T>` with `T: Serialize`
//~ ERROR 18: `u64` is not a response
//~ NOTE: return text, bytes, `Json<T>` with `T: Serialize`

use squall::{Result, get, route};

async fn answer() -> u64 {
    42
}

async fn answer_or_error() -> Result<u64> {
    Ok(42)
}

fn main() {
    let _ = route("/", get(answer));
    let _ = route("/", get(answer_or_error));
}
