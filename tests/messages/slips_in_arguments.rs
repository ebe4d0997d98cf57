//~ ERROR 15: Text` is not a file that can be sent
//~ NOTE: before you use text from a client as a path, check that it does not lead to another folder
//~ ERROR 22: cannot answer the requests of a route
//~ NOTE: a function that returns a handler must be called: `route("/metrics", metrics::handler())`
//~ ERROR 24: `{integer}` is not a time
//~ NOTE: a number says no unit: `Duration::from_secs(5)`
//~ ERROR 25: `&str` is not a list of proxies
//~ NOTE: one is a list as well: `["127.0.0.1"]`

use squall::{Application, Context, HTTPServer, Result, StatusCode, get, metrics, route};

async fn hints(cx: &mut Context) -> Result {
    cx.send_informational(StatusCode::EARLY_HINTS, [("Link", "</a.css>")]).await?;
    let name = cx.argument("name")?;
    cx.send_file(name).await
}

fn main() {
    let server = HTTPServer::new(Application::new([
        route("/hints", get(hints)),
        // As if it were a handler.
        route("/metrics", metrics::handler),
    ]));
    let server = server.write_timeout(5);
    let _ = server.trusted_downstream("127.0.0.1");
}
