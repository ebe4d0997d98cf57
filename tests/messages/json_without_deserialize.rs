//~ ERROR 19: the trait bound `Note: serde::Deserialize<'de>` is not satisfied
//~ ERROR 20: the trait bound `Note: serde::Deserialize<'de>` is not satisfied
//~ ERROR 21: the trait bound `Note: serde::Serialize` is not satisfied

use squall::{Json, Query, get, post, route};

struct Note;

async fn save(Json(_note): Json<Note>) {}

async fn search(_id: u64, Query(_note): Query<Note>) {}

async fn show() -> Json<Note> {
    Json(Note)
}

fn main() {
    // Forgotten: #[derive(serde::Deserialize, serde::Serialize)]
    let _ = route("/", post(save));
    let _ = route("/{id}", get(search));
    let _ = route("/", get(show));
}
