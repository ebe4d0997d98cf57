//! Topics over another transport than that of the framework: a bus between threads, which fills up
//! and breaks.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use squall::topics::{self, Event, Inbox, Pattern, Transport};
use squall::websocket::Message;
use squall::{IOLoop, Result, Text};

/// How many messages wait for a member.
const ROOM: usize = 4;

/// A broker, and the connection of one member.
#[derive(Clone)]
struct Bus {
    member: usize,
    broker: Arc<Mutex<Broker>>,
}

#[derive(Default)]
struct Broker {
    members: Vec<Member>,
    is_down: bool,
    publishers: Vec<Waker>,
}

#[derive(Default)]
struct Member {
    /// As text, because a pattern does not cross threads.
    patterns: Vec<String>,
    queue: VecDeque<Sent>,
    receiver: Option<Waker>,
}

enum Sent {
    Message { topic: String, text: String },
    Lost { topic: String },
    Interrupted,
}

impl Bus {
    fn members(count: usize) -> Vec<Self> {
        let members = (0..count).map(|_| Member::default()).collect();
        let broker = Arc::new(Mutex::new(Broker { members, ..Broker::default() }));
        (0..count).map(|member| Self { member, broker: Arc::clone(&broker) }).collect()
    }

    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    /// The connections of all members break: the broker forgets what they have subscribed to.
    fn interrupt(&self) {
        let mut broker = self.broker();
        broker.is_down = true;
        broker.members.iter_mut().for_each(|member| member.patterns.clear());
    }

    fn restore(&self) {
        let mut broker = self.broker();
        broker.is_down = false;
        broker.publishers.drain(..).for_each(Waker::wake);
        for member in &mut broker.members {
            member.send(Sent::Interrupted);
        }
    }
}

impl Member {
    fn send(&mut self, sent: Sent) {
        self.queue.push_back(sent);
        self.receiver.take().into_iter().for_each(Waker::wake);
    }
}

impl Transport for Bus {
    fn attach(&self, inbox: Inbox) {
        let bus = self.clone();
        IOLoop::current().spawn_callback(async move {
            loop {
                let sent = poll_fn(|task| {
                    let member = &mut bus.broker().members[bus.member];
                    if let Some(sent) = member.queue.pop_front() {
                        return Poll::Ready(sent);
                    }
                    member.receiver = Some(task.waker().clone());
                    Poll::Pending
                });
                match sent.await {
                    Sent::Message { topic, text } => inbox.deliver(&topic, text).await.unwrap(),
                    Sent::Lost { topic } => inbox.lost(&topic, 1),
                    Sent::Interrupted => {
                        inbox.patterns().iter().for_each(|pattern| bus.subscribe(pattern));
                        inbox.interrupted();
                    }
                }
            }
        });
    }

    fn poll_publish(
        &self,
        task: &mut Context<'_>,
        topic: &Text,
        message: &Message,
    ) -> Poll<Result> {
        let mut broker = self.broker();
        if broker.is_down {
            broker.publishers.push(task.waker().clone());
            return Poll::Pending;
        }
        let others = broker.members.iter_mut().enumerate().filter(|(it, _)| *it != self.member);
        for (_, member) in others {
            let matches = |pattern: &String| Pattern::new(pattern).unwrap().matches(topic);
            if !member.patterns.iter().any(matches) {
                continue;
            }
            let (topic, text) = (topic.to_string(), message.as_text()?.to_owned());
            member.send(match member.queue.len() < ROOM {
                true => Sent::Message { topic, text },
                false => Sent::Lost { topic },
            });
        }
        Poll::Ready(Ok(()))
    }

    fn subscribe(&self, pattern: &Pattern) {
        self.broker().members[self.member].patterns.push(pattern.as_str().to_owned());
    }

    fn unsubscribe(&self, pattern: &Pattern) {
        self.broker().members[self.member].patterns.retain(|other| other != pattern.as_str());
    }
}

/// Runs `act` on a thread with a loop of its own, as a member of the bus.
fn member<T: Send + 'static, F: Future<Output = T>>(
    bus: Bus,
    act: impl FnOnce() -> F + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        let io_loop = IOLoop::current();
        assert!(topics::use_transport(bus));
        io_loop.run_sync(act()).unwrap()
    })
}

fn text(event: Option<Event>) -> String {
    match event {
        Some(Event::Message { topic, message }) => {
            format!("{topic} {}", message.as_text().unwrap())
        }
        Some(Event::Gap(gap)) if gap.is_exact() => format!("lost {}", gap.lost()),
        Some(Event::Gap(_)) => "interrupted".to_owned(),
        None => "ended".to_owned(),
    }
}

#[test]
fn another_transport_carries_messages_gaps_and_interruptions() {
    let buses = Bus::members(2);
    let [one, other] = [buses[0].clone(), buses[1].clone()];
    let (to_publisher, heard) = mpsc::channel::<()>();
    let (to_subscriber, published) = mpsc::channel::<()>();
    let subscriber = member(one, move || async move {
        let mut prices = topics::subscribe("price/*").unwrap();
        drop(topics::subscribe("unused").unwrap());
        topics::publish("price/own", "1").await.unwrap();
        to_publisher.send(()).unwrap();
        // Nothing is received meanwhile: the queue of the bus fills up.
        published.recv().unwrap();
        let mut events = Vec::new();
        for _ in 0..6 {
            events.push(text(prices.next().await));
        }
        to_publisher.send(()).unwrap();
        events.push(text(prices.next().await));
        to_publisher.send(()).unwrap();
        events.push(text(prices.next().await));
        events
    });
    let publisher = member(other.clone(), move || async move {
        heard.recv().unwrap();
        topics::publish("unused", "0").await.unwrap();
        for number in 0..7 {
            topics::publish("price/tin", number.to_string()).await.unwrap();
        }
        to_subscriber.send(()).unwrap();
        heard.recv().unwrap();
        other.interrupt();
        let waiting = IOLoop::current().spawn(topics::publish("price/tin", "meanwhile"));
        squall_runtime::yield_now().await;
        assert!(!waiting.is_finished(), "the bus is down");
        other.restore();
        waiting.await.unwrap().unwrap();
        heard.recv().unwrap();
        topics::publish("price/tin", "after").await.unwrap();
    });
    publisher.join().unwrap();
    let tin = ["price/tin 0", "price/tin 1", "price/tin 2", "price/tin 3"];
    let [first, second, third, fourth] = tin;
    let expected =
        ["price/own 1", first, second, third, fourth, "lost 3", "interrupted", "price/tin after"];
    assert_eq!(subscriber.join().unwrap(), expected);
}
