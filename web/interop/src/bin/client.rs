//! The client of Squall against other servers.
//!
//! - `client autobahn HOST:PORT` runs all cases of a fuzzing server.
//! - `client echo URL` tests a server that sends every message back.

use std::io;

use squall::websocket::{
    ConnectOptions, Message, WebSocketCompression, WebSocketOptions, websocket_connect,
};
use squall::{IOLoop, Result};

fn options() -> ConnectOptions {
    WebSocketOptions::new()
        .max_message_size(64 * 1024 * 1024)
        .compression(WebSocketCompression::new().min_size(0).binary(true))
        .into()
}

async fn autobahn(server: &str) -> Result {
    let url = |path: &str| format!("ws://{server}/{path}");
    let mut ws = websocket_connect(&url("getCaseCount"), options()).await?;
    let count = ws.recv().await?.ok_or_else(|| io::Error::other("the server sent no number"))?;
    let count: usize = count.as_text()?.parse()?;
    drop(ws);
    for case in 1..=count {
        let url = url(&format!("runCase?case={case}&agent=squall"));
        let mut ws = websocket_connect(&url, options()).await?;
        // Many cases break the protocol, so an error is part of the test.
        while let Ok(Some(message)) = ws.recv().await {
            if ws.send(message).await.is_err() {
                break;
            }
        }
    }
    let mut ws = websocket_connect(&url("updateReports?agent=squall"), options()).await?;
    let _ = ws.recv().await;
    Ok(())
}

async fn echo(url: &str) -> Result {
    let mut ws = websocket_connect(url, options()).await?;
    let text = "h\u{e9}llo \u{1f30d} ".repeat(10_000);
    let binary: Vec<u8> = (0..1_000_000_u32).map(|n| n.wrapping_mul(n) as u8).collect();
    let messages: [Message; 4] = ["".into(), "hi".into(), text.into(), binary.into()];
    for message in messages {
        ws.send(message.clone()).await?;
        let echoed =
            ws.recv().await?.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
        if echoed != message {
            let text = format!("a message of {} bytes came back changed", message.len());
            return Err(io::Error::other(text).into());
        }
    }
    ws.close(4000, "done").await?;
    let code =
        ws.close_frame().ok_or_else(|| io::Error::other("the server sent no close frame"))?.code();
    println!("{url}: 4 messages came back, and a close frame with {code}");
    Ok(())
}

fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    let (command, target) = (arguments.next(), arguments.next().unwrap_or_default());
    IOLoop::current().run_sync(async move {
        match command.as_deref() {
            Some("autobahn") => autobahn(&target).await,
            Some("echo") => echo(&target).await,
            _ => Err(io::Error::other("usage: client (autobahn HOST:PORT | echo URL)").into()),
        }
    })?
}
