//! The way to the other workers of this host: through shared memory.

use std::cell::{Cell, OnceCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use squall_runtime::process::{Exchange, Received};
use squall_runtime::{IOLoop, cooperate, log};

use super::transport::{Inbox, Transport};
use crate::error::Result;
use crate::topics::name::Pattern;
use crate::types::text::Text;
use crate::websocket::{Message, MessageKind};

/// Carries messages between the workers of a host.
pub(super) struct Host {
    exchange: Rc<Exchange>,
    inbox: OnceCell<Inbox>,
    /// How many patterns have subscribers in this worker.
    patterns: Cell<usize>,
    is_receiving: Cell<bool>,
}

impl Host {
    /// Joins the other workers. Returns `None` if there are none.
    pub(super) fn join() -> io::Result<Option<Self>> {
        Ok(Exchange::join()?.map(|exchange| Self {
            exchange: Rc::new(exchange),
            inbox: OnceCell::new(),
            patterns: Cell::new(0),
            is_receiving: Cell::new(false),
        }))
    }
}

impl Transport for Host {
    fn attach(&self, inbox: Inbox) {
        let _ = self.inbox.set(inbox);
    }

    fn poll_publish(
        &self,
        _: &mut TaskContext<'_>,
        topic: &Text,
        message: &Message,
    ) -> Poll<Result> {
        let kind = kind_number(message.kind());
        let fits = self.exchange.publish(topic.as_bytes(), kind, message.as_bytes());
        debug_assert!(fits, "a ring has room for the longest message");
        Poll::Ready(Ok(()))
    }

    fn subscribe(&self, _: &Pattern) {
        self.patterns.set(self.patterns.get() + 1);
        self.exchange.listen();
        if let Some(inbox) = self.inbox.get()
            && !self.is_receiving.replace(true)
        {
            let receiving = receive(Rc::clone(&self.exchange), inbox.clone());
            IOLoop::current().spawn_callback(receiving);
        }
    }

    fn unsubscribe(&self, _: &Pattern) {
        self.patterns.set(self.patterns.get() - 1);
        if self.patterns.get() == 0 {
            self.exchange.stop_listening();
        }
    }
}

/// Delivers what other workers publish, as long as the worker lives.
async fn receive(exchange: Rc<Exchange>, inbox: Inbox) {
    loop {
        if let Err(error) = poll_fn(|task| exchange.poll_ready(task)).await {
            let text = "topics: nothing more is received from other workers";
            log::error(log::GENERAL, format_args!("{text}: {error}"));
            exchange.stop_listening();
            return;
        }
        let is_wanted = |name: &[u8]| str::from_utf8(name).is_ok_and(|it| inbox.is_subscribed(it));
        while let Some(received) = exchange.next(is_wanted) {
            cooperate().await;
            deliver(received, &inbox).await;
        }
    }
}

async fn deliver(received: Received, inbox: &Inbox) {
    let (name, message) = match received {
        Received::Unwanted => return,
        Received::Overtaken { count } => return inbox.lost_at_most(count),
        Received::Lost { name } => (name, None),
        Received::Message { name, kind, payload } => (name, message(kind, payload)),
    };
    let Ok(topic) = str::from_utf8(&name) else { return };
    let is_delivered = match message {
        Some(message) => inbox.deliver(topic, message).await.is_ok(),
        None => false,
    };
    // Overwritten, or written by a worker that is broken.
    if !is_delivered {
        inbox.lost(topic, 1);
    }
}

/// The number of a kind in shared memory.
fn kind_number(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Binary => 0,
        MessageKind::Text => 1,
    }
}

fn message(kind: u8, payload: Vec<u8>) -> Option<Message> {
    if kind == kind_number(MessageKind::Binary) {
        return Some(payload.into());
    }
    String::from_utf8(payload).ok().map(Message::from)
}
