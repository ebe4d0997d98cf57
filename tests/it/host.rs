use squall::{Application, Context, Result, get, route};

use crate::wire::Server;

/// Answers with the host as the handler sees it.
fn server() -> Server {
    async fn host(cx: &mut Context) -> Result {
        cx.write(cx.host())
    }
    Server::start(|| Application::new([route("/", get(host))]))
}

#[test]
fn a_valid_host_reaches_the_handler_as_it_was_sent() {
    let server = server();
    let hosts = [
        "example.com",
        "EXAMPLE.com:8080",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "a_name-with.all~marks!$&'()*+;=",
        "percent%2dencoded",
        "example.com:",
        "example.com:65535",
    ];
    for host in hosts {
        let exchange = server.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(exchange.statuses(), [200], "{host}");
        assert_eq!(exchange.only().text(), host);
        assert!(exchange.kept, "{host}");
    }
}
