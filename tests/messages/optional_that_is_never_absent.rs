//~ ERROR 11: `Option<squall::State<u8>>` cannot be a parameter of a function that answers requests

use squall::{State, get, route};

async fn show(number: Option<State<u8>>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

// An `Option` of a state makes no sense: `Application::check` demands the state.
fn main() {
    let _ = route("/", get(show));
}
