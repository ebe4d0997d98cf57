//! What must compile, and without a warning: nothing that a handler commonly does may fight
//! the borrow checker, and nothing of it has to be `Send`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use squall::{
    Application, Context, Error, HTTPError, HTTPServer, IOLoop, Next, Or500, RequestHandler,
    Result, StatusCode, delete, get, regex, route, sleep,
};

/// Not `Send`, and no request is kept from writing what its handler or its context holds.
#[derive(Clone)]
struct Greeting {
    greeting: String,
    visits: Rc<RefCell<HashMap<String, u64>>>,
}

impl RequestHandler for Greeting {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        self.greeting.push_str(&cx.argument("name")?);
        Ok(())
    }

    async fn get(&mut self, cx: &mut Context) -> Result {
        cx.write(&self.greeting)?;
        cx.write(cx.argument("name")?)?;
        cx.write(cx.path())?;
        cx.write(cx.query())?;
        cx.write(cx.host())?;
        cx.write(cx.method().to_string())?;
        cx.write(cx.header("user-agent").unwrap_or_default())?;
        cx.write(cx.path_argument::<String>("name")?)?;
        cx.set_header("X-Path", cx.path().as_str())?;
        cx.set_header("X-Greeting", &*self.greeting)?;
        cx.redirect(&cx.path())
    }

    async fn post(&mut self, cx: &mut Context) -> Result {
        cx.write(cx.body().await?)?;
        cx.write(cx.body().text().await?)?;
        let mut body = cx.body();
        while let Some(piece) = body.next().await {
            cx.write(piece?)?;
            cx.flush().await?;
        }
        Ok(())
    }

    /// A `Ref` of the state is held across an `await`: nobody else runs on this thread, and
    /// whoever borrows it to write meanwhile panics, but the compiler has no objection.
    async fn put(&mut self, cx: &mut Context) -> Result {
        let visits = self.visits.borrow();
        sleep(Duration::from_millis(1)).await;
        let count = visits.get(&self.greeting).ok_or(HTTPError::NOT_FOUND)?;
        cx.write(count.to_string())
    }

    async fn delete(&mut self, cx: &mut Context) -> Result {
        let (path, visits) = (cx.path(), Rc::clone(&self.visits));
        IOLoop::current().spawn_callback(async move {
            sleep(Duration::from_secs(1)).await;
            visits.borrow_mut().remove(path.as_str());
        });
        cx.set_status(StatusCode::ACCEPTED);
        cx.json(&*self.visits.borrow())
    }

    fn write_error(&mut self, cx: &mut Context, error: &Error) -> Result {
        cx.write(&self.greeting)?;
        cx.write(error.status().as_str())
    }
}

/// Borrows from the program for as long as that lives.
#[derive(Clone)]
struct Borrowing {
    name: &'static str,
}

impl RequestHandler for Borrowing {
    async fn get(&mut self, cx: &mut Context) -> Result {
        helper(cx, self.name).await
    }
}

/// Answers what another handler does, to those who may know.
#[derive(Clone)]
struct Guarded<H>(H);

impl<H: RequestHandler> RequestHandler for Guarded<H> {
    async fn prepare(&mut self, cx: &mut Context) -> Result {
        cx.header("authorization").ok_or(HTTPError::UNAUTHORIZED)?;
        self.0.prepare(cx).await
    }

    fn get(&mut self, cx: &mut Context) -> impl Future<Output = Result> {
        self.0.get(cx)
    }
}

async fn helper(cx: &mut Context, name: &str) -> Result {
    cx.write(name)?;
    cx.write(name.as_bytes())?;
    cx.write(b"bytes")?;
    cx.write(vec![b'v'])?;
    cx.write(format!("{name} is {}", cx.status()))
}

async fn nothing() {}

async fn status() -> Result<StatusCode> {
    Err(HTTPError::new(StatusCode::IM_A_TEAPOT))?
}

async fn other_errors() -> Result<String> {
    let number: u8 = "7".parse()?;
    let boxed: std::result::Result<u8, Box<dyn std::error::Error>> = Ok(number);
    let text: std::result::Result<u8, String> = Ok(boxed.or_500()?);
    Ok(text.or_500()?.to_string())
}

async fn io_errors() -> std::io::Result<&'static str> {
    Ok("an error that is not Squall's own is one of `?` as well")
}

async fn arguments(cx: &mut Context, id: u64, name: String, flag: bool) -> Result {
    cx.write(format!("{id} {name} {flag}"))
}

async fn log(cx: &mut Context, next: Next<'_>) -> Result {
    next.run(cx).await?;
    cx.set_header("X-Logged", "yes")
}

fn main() -> std::io::Result<()> {
    let visits = Rc::new(RefCell::new(HashMap::new()));
    let shared = Rc::clone(&visits);
    let greeting = Greeting { greeting: String::new(), visits };
    let app = Application::new([
        route("/greet/{name}", greeting.clone()),
        route("/guarded", Guarded(Guarded(Borrowing { name: "Ada" }))),
        route("/status", get(status).post(other_errors).put(io_errors).delete(nothing)),
        regex(r"/(\d+)/(\w+)/(\w+)", delete(arguments)).name("arguments"),
        route("/visits", get(async move || shared.borrow().len().to_string())),
        route("/closure", get(async |cx: &mut Context, id: u64| cx.write(id.to_string()))),
    ]);
    let app = app.around(log).around(async |cx, next| next.run(cx).await);
    HTTPServer::new(app).bind(8000)?.start(1)?;
    IOLoop::current().start()
}
