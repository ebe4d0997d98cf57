//! A chat with rooms, names, history and the people who are there, on all workers.
//!
//! Each worker keeps the last messages of every room. It learns them as a subscriber, and a new
//! worker asks the others. So the history outlives a reload, but not the server.
//!
//! Each worker tells the others who is connected to it, after a change and four times a second. A
//! worker that says nothing for 650 ms is gone, with its people.
//!
//! Run it: `cargo run --release --example chat`
//! Try it: open http://localhost:8000 in two browsers, or on a phone.
//!         `curl localhost:8000`
//!
//! The port is the first argument, or `PORT`, or 8000.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::process::id;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use squall::topics::{self, Event};
use squall::websocket::{CloseCode, Message, WebSocket, WebSocketHandler};
use squall::{Application, Context, HTTPError, HTTPServer, IOLoop, Result, get, route, sleep};

mod support;

/// How many messages of a room a worker keeps.
const HISTORY: usize = 100;

/// How often a worker says who is connected to it, and how long the others believe it.
const BEAT: Duration = Duration::from_millis(250);
const BELIEF: Duration = Duration::from_millis(650);

/// The longest name, room and text, in characters.
const MAX_NAME: usize = 30;
const MAX_TEXT: usize = 2000;

/// A message to a room. The page sorts by time, and leaves out numbers that it has.
#[derive(Clone, Serialize, Deserialize)]
struct Said {
    id: String,
    /// In milliseconds since 1970.
    at: u64,
    name: String,
    text: String,
}

/// What the page receives.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ToPage<'a> {
    Welcome { history: Vec<&'a Said>, worker: u32 },
    People { names: BTreeSet<&'a str> },
}

/// Who is connected to a worker: the names of each room, once for each connection.
type People = BTreeMap<String, Vec<String>>;

/// What this worker knows.
#[derive(Default)]
struct State {
    history: RefCell<HashMap<String, VecDeque<Said>>>,
    own: RefCell<People>,
    others: RefCell<HashMap<u32, (Instant, People)>>,
    next: Cell<u64>,
}

thread_local! {
    static STATE: Rc<State> = Rc::default();
}

fn state() -> Rc<State> {
    STATE.with(Rc::clone)
}

impl State {
    fn remember(&self, room: &str, said: Said) {
        let mut history = self.history.borrow_mut();
        let room = history.entry(room.to_owned()).or_default();
        let place = room.partition_point(|other| (other.at, &other.id) < (said.at, &said.id));
        if room.get(place).is_none_or(|other| other.id != said.id) {
            room.insert(place, said);
        }
        if room.len() > HISTORY {
            room.pop_front();
        }
    }

    /// The people of a room, of all workers, as the page receives them.
    fn people(&self, room: &str) -> Result<String> {
        let (own, others) = (self.own.borrow(), self.others.borrow());
        let all = others.values().map(|(_, people)| people).chain([&*own]);
        let names = all.filter_map(|people| people.get(room)).flatten().map(String::as_str);
        Ok(serde_json::to_string(&ToPage::People { names: names.collect() })?)
    }

    /// Forgets workers that have said nothing for long. Returns whether there was one.
    fn forget_silent(&self) -> bool {
        let mut others = self.others.borrow_mut();
        let before = others.len();
        others.retain(|_, (heard, _)| heard.elapsed() < BELIEF);
        others.len() < before
    }

    /// Shows the people of their rooms to the clients of this worker.
    async fn show_people(&self) -> Result {
        let rooms: Vec<String> = self.own.borrow().keys().cloned().collect();
        for room in rooms {
            let people = self.people(&room)?;
            topics::publish(format!("people/{}/{room}", id()), people).await?;
        }
        Ok(())
    }

    /// Tells the other workers who is connected to this one.
    async fn tell_others(&self) -> Result {
        let people = serde_json::to_string(&(id(), &*self.own.borrow()))?;
        topics::publish("workers/people", people).await
    }
}

/// Listens to all rooms and to the other workers.
async fn keep_up() -> Result {
    let state = state();
    let mut events = topics::subscribe("room/*")?;
    let mut workers = topics::subscribe("workers/*")?;
    topics::publish("workers/new", id().to_string()).await?;
    IOLoop::current().spawn_callback(async move {
        while let Some(event) = events.next().await {
            if let Event::Message { topic, message } = event
                && let (Some(room), Ok(text)) = (topic.strip_prefix("room/"), message.as_text())
                && let Ok(said) = serde_json::from_str(text)
            {
                self::state().remember(room, said);
            }
        }
    });
    while let Some(event) = workers.next().await {
        if let Event::Message { topic, message } = event {
            from_worker(&state, &topic, message.as_text()?).await?;
        }
    }
    Ok(())
}

async fn from_worker(state: &State, topic: &str, text: &str) -> Result {
    match topic {
        "workers/new" if text != id().to_string() => {
            let history = state.history.borrow().clone();
            for (room, said) in history {
                let history = serde_json::to_string(&(room, said))?;
                topics::publish("workers/history", history).await?;
            }
            state.tell_others().await?;
        }
        "workers/history" => {
            let (room, history): (String, Vec<Said>) = serde_json::from_str(text)?;
            history.into_iter().for_each(|said| state.remember(&room, said));
        }
        "workers/people" => {
            let (worker, people): (u32, People) = serde_json::from_str(text)?;
            if worker != id() {
                let news = (Instant::now(), people);
                let before = state.others.borrow_mut().insert(worker, news.clone());
                if before.is_none_or(|(_, before)| before != news.1) {
                    state.show_people().await?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

async fn beat() -> Result {
    let state = state();
    loop {
        sleep(BEAT).await;
        state.tell_others().await?;
        if state.forget_silent() {
            state.show_people().await?;
        }
    }
}

/// One person in one room.
#[derive(Clone, Default)]
struct Chat {
    room: String,
    name: String,
    is_in: bool,
}

impl WebSocketHandler for Chat {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        self.room = checked(&cx.argument("room")?).ok_or(HTTPError::BAD_REQUEST)?;
        self.name = checked(&cx.argument("name")?).ok_or(HTTPError::BAD_REQUEST)?;
        Ok(())
    }

    async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
        let state = state();
        ws.subscribe(format!("room/{}", self.room))?;
        ws.subscribe(format!("people/{}/{}", id(), self.room))?;
        let welcome = {
            let history = state.history.borrow();
            let history = history.get(&self.room).into_iter().flatten().collect();
            serde_json::to_string(&ToPage::Welcome { history, worker: id() })?
        };
        ws.send(welcome).await?;
        state.own.borrow_mut().entry(self.room.clone()).or_default().push(self.name.clone());
        self.is_in = true;
        state.show_people().await?;
        state.tell_others().await
    }

    async fn on_message(&mut self, _: &WebSocket, message: Message) -> Result {
        let text = message.as_text()?.trim();
        if text.is_empty() || text.chars().count() > MAX_TEXT {
            return Ok(());
        }
        let now = SystemTime::UNIX_EPOCH.elapsed()?;
        let state = state();
        state.next.set(state.next.get() + 1);
        let said = Said {
            id: format!("{}-{}", id(), state.next.get()),
            at: now.as_millis() as u64,
            name: self.name.clone(),
            text: text.to_owned(),
        };
        topics::publish(format!("room/{}", self.room), serde_json::to_string(&said)?).await
    }

    fn on_close(&mut self, _: Option<CloseCode>, _: &str) {
        if !self.is_in {
            return;
        }
        let state = state();
        {
            let mut own = state.own.borrow_mut();
            let Some(names) = own.get_mut(&self.room) else { return };
            if let Some(place) = names.iter().position(|name| *name == self.name) {
                names.swap_remove(place);
            }
            if names.is_empty() {
                own.remove(&self.room);
            }
        }
        squall::spawn_background(async move {
            let _ = state.show_people().await;
            let _ = state.tell_others().await;
        });
    }
}

/// A name or room: not empty, not too long, and fit for a topic.
fn checked(text: &str) -> Option<String> {
    let text = text.trim();
    let is_short = text.chars().count() <= MAX_NAME;
    let is_plain = !text.chars().any(|c| c.is_control() || c == '*');
    (!text.is_empty() && is_short && is_plain).then(|| text.to_owned())
}

fn main() -> io::Result<()> {
    let port = support::port()?;
    let app = Application::new([
        route("/", get(async || squall::Html(include_str!("pages/chat.html")))),
        squall::websocket("/chat", Chat::default()),
    ]);
    let server = HTTPServer::new(app);
    server.bind(port)?;
    println!("http://localhost:{port}");
    server.start(0)?;
    for task in [IOLoop::current().spawn(keep_up()), IOLoop::current().spawn(beat())] {
        task.detach();
    }
    IOLoop::current().start()
}
