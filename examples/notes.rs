//! A JSON API: typed parameters, state, an error type with statuses, scopes and middleware.
//!
//! Run it: `cargo run --example notes`
//! Try it: `curl -H 'Content-Type: application/json' -d '{"title":"Buy tea"}' localhost:8000/api/v1/notes`
//!         `curl localhost:8000/api/v1/notes`
//!         `curl 'localhost:8000/api/v1/notes?q=tea&page=1'`
//!         `curl localhost:8000/api/v1/notes/1`
//!         `curl localhost:8000/api/v1/notes/7`          (404, as a problem in JSON)
//!         `curl -X DELETE localhost:8000/api/v1/notes/1` (401 without a token)
//!         `curl -H 'Authorization: Bearer secret' -X DELETE localhost:8000/api/v1/notes/1`
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use squall::{
    Application, Context, Failure, FromRequest, HTTPError, HTTPServer, IOLoop, Json, Next,
    NoContent, Query, Result, State, StatusCode, delete, get, route, scope,
};

mod support;

const NOTES_PER_PAGE: usize = 20;
const MAX_NOTES: usize = 1000;

#[derive(Clone, Serialize)]
struct Note {
    id: u64,
    title: String,
    text: String,
}

#[derive(Deserialize)]
struct NewNote {
    title: String,
    #[serde(default)]
    text: String,
}

/// All notes of this worker. It need not be `Send`.
#[derive(Default)]
struct Notes(RefCell<BTreeMap<u64, Note>>);

#[derive(Debug)]
enum NoteError {
    Missing,
    Untitled,
    TooMany,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no such note",
            Self::Untitled => "a note needs a title",
            Self::TooMany => "there is no room for another note",
        })
    }
}

impl std::error::Error for NoteError {}

impl Failure for NoteError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Untitled => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    page: Option<usize>,
}

async fn list(notes: State<Notes>, Query(search): Query<Search>) -> Json<Vec<Note>> {
    let notes = notes.0.borrow();
    let found = notes.values().filter(|note| note.title.contains(&search.q));
    let before = search.page.unwrap_or(1).saturating_sub(1).saturating_mul(NOTES_PER_PAGE);
    Json(found.skip(before).take(NOTES_PER_PAGE).cloned().collect())
}

async fn create(
    cx: &mut Context,
    notes: State<Notes>,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>)> {
    if note.title.trim().is_empty() {
        Err(NoteError::Untitled)?;
    }
    let mut notes = notes.0.borrow_mut();
    if notes.len() >= MAX_NOTES {
        Err(NoteError::TooMany)?;
    }
    let id = notes.last_key_value().map_or(1, |(id, _)| id + 1);
    let note = Note { id, title: note.title, text: note.text };
    notes.insert(id, note.clone());
    cx.set_header("Location", cx.reverse_url("note", &[&id.to_string()])?)?;
    Ok((StatusCode::CREATED, Json(note)))
}

async fn show(id: u64, notes: State<Notes>) -> Result<Json<Note>, NoteError> {
    notes.0.borrow().get(&id).cloned().map(Json).ok_or(NoteError::Missing)
}

/// The client knows the token.
struct Editor;

impl FromRequest for Editor {
    async fn from_request(cx: &mut Context) -> Result<Self> {
        match cx.header("authorization") {
            Some(token) if token == "Bearer secret" => Ok(Self),
            _ => Err(HTTPError::UNAUTHORIZED.with_header("WWW-Authenticate", "Bearer"))?,
        }
    }
}

async fn remove(id: u64, _: Editor, notes: State<Notes>) -> Result<NoContent, NoteError> {
    notes.0.borrow_mut().remove(&id).map(|_| NoContent).ok_or(NoteError::Missing)
}

/// Lets pages of other sites read the API.
async fn cors(cx: &mut Context, next: Next<'_>) -> Result {
    let result = next.run(cx).await;
    cx.set_header("Access-Control-Allow-Origin", "*")?;
    result
}

fn application() -> Application {
    let notes = scope(
        "/notes",
        [
            route("", get(list).post(create)),
            route("/{id}", get(show)).name("note"),
            route("/{id}", delete(remove)),
        ],
    );
    Application::new([scope("/api/v1", [notes]).around(cors)])
        .state(Notes::default())
        .on_error(|cx, error| cx.problem(error))
        .on_error_of(|cx, error: &NoteError| -> Result {
            let status = cx.status();
            let failed = HTTPError::new(status).with_message(error.to_string());
            cx.problem(&failed.into())
        })
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    HTTPServer::with(application).bind(port)?.start(1)?;
    println!("http://localhost:{port}");
    IOLoop::current().start()
}

#[cfg(test)]
mod tests {
    use squall::testing::TestClient;

    use super::*;

    #[test]
    fn a_note_is_created_found_and_removed() {
        let client = TestClient::new(application());
        let created = client.post("/api/v1/notes").json(&("title", 1)).send();
        assert_eq!(created.status(), 422);
        let created = client.post("/api/v1/notes");
        let created = created.json(&BTreeMap::from([("title", "Buy tea")])).send();
        assert_eq!(
            (created.status().as_u16(), created.header("location")),
            (201, Some("/api/v1/notes/1"))
        );
        assert_eq!(client.get("/api/v1/notes?q=coffee").send().text(), "[]");
        assert!(client.get("/api/v1/notes?q=tea").send().text().contains("Buy tea"));

        let remove = || client.delete("/api/v1/notes/1");
        assert_eq!(remove().send().status(), 401);
        let remove = || remove().header("Authorization", "Bearer secret").send();
        assert_eq!((remove().status().as_u16(), remove().status().as_u16()), (204, 404));
    }

    #[test]
    fn errors_are_problems_that_other_sites_can_read() {
        let client = TestClient::new(application());
        let missing = client.get("/api/v1/notes/7").send();
        assert_eq!(missing.header("content-type"), Some("application/problem+json"));
        assert!(missing.text().contains("there is no such note"), "{}", missing.text());
        assert_eq!(missing.header("access-control-allow-origin"), Some("*"));
        let untitled = client.post("/api/v1/notes").json(&BTreeMap::from([("title", " ")])).send();
        assert_eq!(untitled.status(), 422);
        assert_eq!(
            client.get("/api/v1/nowhere").send().header("access-control-allow-origin"),
            Some("*")
        );
    }
}
