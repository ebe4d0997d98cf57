use futures_lite::future::{self, poll_once};
use squall_runtime::IOLoop;

use super::*;
use crate::testing::TestClient;
use crate::types::text::Text;
use crate::websocket::{WebSocket, WebSocketCompression, WebSocketHandler, WebSocketOptions};
use crate::{Application, Context, websocket};

fn run<T>(future: impl Future<Output = T>) -> T {
    IOLoop::current().run_sync(future).unwrap()
}

fn message(topic: &str, text: &'static str) -> Option<Event> {
    Some(Event::Message { topic: Text::copied(topic), message: text.into() })
}

fn gap(lost: u64) -> Option<Event> {
    Some(Event::Gap(Gap::exactly(lost)))
}

#[test]
fn each_subscription_receives_what_matches_in_order() {
    run(async {
        let mut exact = subscribe("price/gold").unwrap();
        let mut prefix = subscribe("price/*").unwrap();
        let mut all = subscribe("*").unwrap();
        publish("price/gold", "1").await.unwrap();
        publish("price/tin", "2").await.unwrap();
        publish("stock/gold", "3").await.unwrap();
        let (gold, tin) = (message("price/gold", "1"), message("price/tin", "2"));
        assert_eq!(exact.next().await, gold);
        assert_eq!([prefix.next().await, prefix.next().await], [gold.clone(), tin.clone()]);
        let three = [all.next().await, all.next().await, all.next().await];
        assert_eq!(three, [gold, tin, message("stock/gold", "3")]);
        assert!(exact.is_empty() && prefix.is_empty() && all.is_empty());
    });
}

#[test]
fn a_subscription_begins_and_ends_with_its_value() {
    run(async {
        publish("a", "before").await.unwrap();
        let mut one = subscribe("a").unwrap();
        let other = subscribe("a").unwrap();
        publish("a", "during").await.unwrap();
        assert_eq!(one.next().await, message("a", "during"));
        drop(one);
        assert_eq!(Hub::current().patterns().len(), 1);
        drop(other);
        assert!(Hub::current().patterns().is_empty() && !Hub::current().is_subscribed("a"));
    });
}

#[test]
fn names_and_messages_out_of_bounds_are_refused_at_the_line_of_the_caller() {
    run(async {
        let error = publish("a*", "x").await.unwrap_err();
        assert!(error.location().file().ends_with("topics/tests.rs"));
        let long = vec![0; MAX_MESSAGE + 1];
        let error = publish("a", long).await.unwrap_err();
        assert_eq!(error.to_string(), "a message to a topic has 1048577 bytes, more than 1048576");
        let line = line!() + 1;
        let error = subscribe("a*b").unwrap_err();
        assert_eq!(error.location().line(), line);
    });
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them() {
    run(async {
        let mut few = subscribe(SubscribeOptions::new("a").max_messages(2)).unwrap();
        let mut small = subscribe(SubscribeOptions::new("a").max_bytes(3)).unwrap();
        for text in ["11", "22", "33", "44", "5"] {
            publish("a", text).await.unwrap();
        }
        assert_eq!([few.next().await, few.next().await], [gap(3), message("a", "44")]);
        publish("a", "6").await.unwrap();
        publish("a", "7").await.unwrap();
        assert_eq!([few.next().await, few.next().await], [gap(1), message("a", "6")]);
        assert_eq!(few.next().await, message("a", "7"));
        // 44, 5: three bytes; then one after the other.
        assert_eq!([small.next().await, small.next().await], [gap(4), message("a", "5")]);
        assert_eq!(small.len(), 2);
    });
}

#[test]
fn an_empty_queue_takes_a_message_of_any_size() {
    run(async {
        let mut small = subscribe(SubscribeOptions::new("a").max_bytes(0)).unwrap();
        publish("a", "long").await.unwrap();
        assert_eq!(small.next().await, message("a", "long"));
    });
}

#[test]
fn a_publisher_waits_for_subscribers_with_that_policy_and_gives_up_whole() {
    run(async {
        let waiting = SubscribeOptions::new("a").max_messages(1).on_overflow(Overflow::Wait);
        let mut slow = subscribe(waiting).unwrap();
        let mut other = subscribe("a").unwrap();
        publish("a", "1").await.unwrap();
        assert!(poll_once(Box::pin(publish("a", "dropped"))).await.is_none());
        let second = IOLoop::current().spawn(async { publish("a", "2").await.unwrap() });
        squall_runtime::yield_now().await;
        assert_eq!(slow.next().await, message("a", "1"));
        assert_eq!(slow.next().await, message("a", "2"));
        assert_eq!(
            [other.next().await, other.next().await],
            [message("a", "1"), message("a", "2")]
        );
        second.await.unwrap();
        // One that is gone is not waited for.
        publish("a", "3").await.unwrap();
        let fourth = IOLoop::current().spawn(async { publish("a", "4").await.unwrap() });
        squall_runtime::yield_now().await;
        drop(slow);
        fourth.await.unwrap();
    });
}

#[test]
fn a_full_queue_can_end_the_subscription() {
    run(async {
        let closing = SubscribeOptions::new("a").max_messages(1).on_overflow(Overflow::Close);
        let mut closing = subscribe(closing).unwrap();
        publish("a", "1").await.unwrap();
        publish("a", "2").await.unwrap();
        assert_eq!([closing.next().await, closing.next().await], [message("a", "1"), None]);
    });
}

#[test]
fn a_subscriber_may_unsubscribe_while_a_message_is_delivered() {
    run(async {
        let waiting = SubscribeOptions::new("a").max_messages(1).on_overflow(Overflow::Wait);
        let subscriptions: Vec<_> = (0..3).map(|_| subscribe(waiting.clone()).unwrap()).collect();
        publish("a", "1").await.unwrap();
        let publishing = publish("a", "2");
        let ending = async { drop(subscriptions) };
        future::zip(publishing, ending).await.0.unwrap();
    });
}

#[derive(Clone)]
struct Member(SubscribeOptions);

impl WebSocketHandler for Member {
    async fn open(&mut self, ws: &WebSocket, _: &mut Context) -> Result {
        ws.subscribe(self.0.clone())
    }

    async fn on_message(&mut self, ws: &WebSocket, message: Message) -> Result {
        match message.as_text()? {
            "leave" => assert!(ws.unsubscribe(&self.0.pattern) && !ws.unsubscribe("b")),
            _ => publish("a", message).await?,
        }
        Ok(())
    }
}

#[test]
fn a_message_is_encoded_once_for_all_sockets_and_compressed_once_per_setting() {
    let app = Application::new([websocket("/", Member("a".into()))]);
    let client = TestClient::new(app);
    let plain: Vec<_> = (0..3).map(|_| client.websocket("/").connect()).collect();
    let small = || client.websocket("/").compression(WebSocketCompression::default()).connect();
    let mut sockets: Vec<_> = plain.into_iter().chain((0..3).map(|_| small())).collect();
    let text = "hello ".repeat(100);
    sockets[0].send(text.clone());
    for socket in &mut sockets {
        assert_eq!(socket.recv(), Some(text.clone().into()));
    }
}

#[test]
fn a_socket_receives_until_it_unsubscribes_or_ends() {
    let client = TestClient::new(Application::new([websocket("/", Member("a*".into()))]));
    let (one, mut other) = (client.websocket("/").connect(), client.websocket("/").connect());
    one.send("1");
    assert_eq!(other.recv(), Some("1".into()));
    other.send("leave");
    other.send("2");
    one.send("3");
    let mut one = one;
    assert_eq!([one.recv(), one.recv(), one.recv()], ["1", "2", "3"].map(|text| Some(text.into())));
    one.close(1000, "");
    other.close(1000, "");
    assert!(Hub::current().patterns().is_empty());
}

/// A client that reads nothing, and the options of its subscription.
fn slow(options: SubscribeOptions, act: impl FnOnce(&mut crate::testing::TestWebSocket)) {
    let small = WebSocketOptions::new().max_send_buffer(1);
    let route = websocket("/", Member(options.max_messages(2))).websocket_options(small);
    let client = TestClient::new(Application::new([route]));
    let mut socket = client.websocket("/").connect();
    socket.send("subscribed");
    assert_eq!(socket.recv(), Some("subscribed".into()));
    // More than the connection itself takes.
    run(async {
        for number in 0..20 {
            publish("a", format!("{number} {}", "x".repeat(100_000))).await.unwrap();
        }
    });
    act(&mut socket);
}

/// The number of each message, or the text of a short one.
fn received(socket: &mut crate::testing::TestWebSocket) -> Vec<String> {
    let mut received = Vec::new();
    while let Some(message) = socket.recv() {
        let text = message.as_text().unwrap();
        received.push(text.split(" x").next().unwrap().to_owned());
        if received.last().unwrap() == "19" {
            break;
        }
    }
    received
}

#[test]
fn a_client_that_reads_slowly_is_closed_with_1013() {
    slow("a".into(), |socket| {
        received(socket);
        let frame = socket.closed().unwrap();
        assert_eq!((frame.code().as_u16(), &**frame.reason()), (1013, "messages were lost"));
    });
}

#[test]
fn a_client_that_reads_slowly_receives_the_newest_messages_and_the_gap() {
    let options = SubscribeOptions::new("a").on_overflow(Overflow::DropOldest);
    let options = options.gap_message(|gap| format!("lost {}", gap.lost()));
    slow(options, |socket| {
        let received = received(socket);
        let lost: u64 = received
            .iter()
            .filter_map(|one| one.strip_prefix("lost "))
            .map(|lost| lost.parse::<u64>().unwrap())
            .sum();
        let numbers: Vec<u64> = received.iter().filter_map(|one| one.parse().ok()).collect();
        assert!(lost > 0 && numbers.is_sorted(), "{received:?}");
        assert_eq!(lost + numbers.len() as u64, 20, "{received:?}");
    });
}

#[test]
fn a_panic_in_the_message_of_a_gap_closes_with_1011() {
    let options = SubscribeOptions::new("a").on_overflow(Overflow::DropOldest);
    let options = options.gap_message(|_| -> String { panic!("on purpose") });
    slow(options, |socket| {
        received(socket);
        assert_eq!(socket.closed().unwrap().code().as_u16(), 1011);
    });
}

#[test]
fn the_metrics_count_subscriptions_messages_and_those_that_are_lost() {
    let client = TestClient::new(Application::new([]));
    client.get("/").send();
    let few = subscribe(SubscribeOptions::new("a").max_messages(2)).unwrap();
    let all = subscribe("*").unwrap();
    run(async {
        for number in 0..5 {
            publish("a", number.to_string()).await.unwrap();
        }
    });
    drop(all);
    let page = crate::metrics::render();
    for line in [
        "topic_patterns 1",
        "topic_subscriptions 1",
        "topic_queued_messages 2",
        "topic_published_messages_total 5",
        "topic_delivered_messages_total 10",
        "topic_lost_messages_total 3",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}: {page}");
    }
    drop(few);
    assert!(crate::metrics::render().contains("\ntopic_queued_messages 0\n"));
}
