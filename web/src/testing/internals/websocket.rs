//! WebSocket frames, for the fuzz targets in `web/fuzz` and the comparison in `web/differential`.

use std::rc::Rc;

use crate::websocket::codec::Role;
use crate::websocket::codec::close::{CloseCode, CloseFrame};
use crate::websocket::codec::decoder::{Decoder, Event, Limits};
use crate::websocket::codec::deflate::DeflatePool;
use crate::websocket::codec::deflate::params::{
    CompressionOptions, Deflate, DeflateParams, WindowBits,
};
use crate::websocket::codec::encoder::Encoder;
use crate::websocket::handshake::permessage_deflate;
use crate::websocket::message::{Message, MessageKind};

thread_local! {
    static POOL: Rc<DeflatePool> = DeflatePool::new();
}

/// One side of a connection, and the agreed parameters.
#[derive(Clone, Debug)]
pub struct WebSocketSide {
    /// Whether it is the server.
    pub is_server: bool,
    /// The longest frame.
    pub max_frame_size: usize,
    /// The longest message.
    pub max_message_size: usize,
    /// The parameters of permessage-deflate.
    pub deflate: Option<WebSocketDeflate>,
}

/// The parameters of permessage-deflate, the same for both sides.
#[derive(Clone, Copy, Debug)]
pub struct WebSocketDeflate {
    /// Whether messages refer to those before them.
    pub takeover: bool,
    /// How far they refer back: the base-2 logarithm, 8 to 15.
    pub window_bits: u8,
    /// How well messages are compressed, from 1 to 9.
    pub level: u8,
}

/// An event from a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebSocketEvent {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong and its payload.
    Pong(Vec<u8>),
    /// A close frame, with its code and reason.
    Close(Option<(u16, String)>),
}

/// Reads the frames of a peer.
#[derive(Debug)]
pub struct WebSocketReader(Decoder);

/// Writes the frames for a peer.
#[derive(Debug)]
pub struct WebSocketWriter(Encoder);

impl WebSocketSide {
    fn role(&self) -> Role {
        if self.is_server { Role::Server } else { Role::Client }
    }

    fn deflate(&self) -> Option<Deflate> {
        let WebSocketDeflate { takeover, window_bits, level } = self.deflate?;
        let window = WindowBits::new(window_bits).unwrap_or(WindowBits::MAX);
        let params = DeflateParams {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            server_max_window_bits: window,
            client_max_window_bits: window,
        };
        let options = CompressionOptions { level, min_size: 0, binary: true };
        Some(Deflate { pool: POOL.with(Rc::clone), params, options })
    }

    /// Creates a reader for this side.
    pub fn reader(&self) -> WebSocketReader {
        let limits =
            Limits { max_frame_size: self.max_frame_size, max_message_size: self.max_message_size };
        WebSocketReader(Decoder::new(self.role(), limits, self.deflate().as_ref()))
    }

    /// Creates a writer for this side.
    pub fn writer(&self) -> WebSocketWriter {
        WebSocketWriter(Encoder::new(self.role(), self.deflate().as_ref()))
    }
}

impl WebSocketReader {
    /// Reads all of `bytes`, which it unmasks in place, and passes events to `on_event`.
    ///
    /// # Errors
    ///
    /// Returns the code and the reason to close the connection with.
    ///
    /// # Panics
    ///
    /// Panics if bytes remain.
    pub fn read(
        &mut self,
        mut bytes: &mut [u8],
        mut on_event: impl FnMut(WebSocketEvent),
    ) -> Result<(), (u16, &'static str)> {
        while !bytes.is_empty() {
            let decoded = self.0.decode(bytes);
            let decoded = decoded.map_err(|error| (error.close_code().as_u16(), error.reason()))?;
            assert!(decoded.event.is_some() || decoded.used == bytes.len(), "bytes are left over");
            decoded.event.map(WebSocketEvent::from).into_iter().for_each(&mut on_event);
            bytes = &mut bytes[decoded.used..];
        }
        Ok(())
    }

    /// Receives `bytes`, directly into the memory of a message where possible.
    ///
    /// # Errors
    ///
    /// Returns the code and the reason to close the connection with.
    pub fn read_directly(
        &mut self,
        mut bytes: &mut [u8],
        mut on_event: impl FnMut(WebSocketEvent),
    ) -> Result<(), (u16, &'static str)> {
        while let Some(room) = self.0.direct_room()
            && !bytes.is_empty()
        {
            let count = bytes.len().min(room.capacity() - room.len());
            let (now, later) = bytes.split_at_mut(count);
            room.extend_from_slice(now);
            let event = self.0.direct_received(count);
            let event = event.map_err(|error| (error.close_code().as_u16(), error.reason()))?;
            event.map(WebSocketEvent::from).into_iter().for_each(&mut on_event);
            bytes = later;
        }
        self.read(bytes, on_event)
    }

    /// Whether no part of a frame or message has arrived.
    pub fn is_between_messages(&self) -> bool {
        self.0.is_between_messages()
    }

    /// Returns how many bytes of memory the reader holds.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl WebSocketWriter {
    /// Returns the frame of an event.
    ///
    /// # Panics
    ///
    /// Panics if the payload is too long, or if the code may not be sent.
    pub fn write(&mut self, event: &WebSocketEvent) -> Vec<u8> {
        match event {
            WebSocketEvent::Text(text) => self.0.message(MessageKind::Text, text.as_bytes()),
            WebSocketEvent::Binary(bytes) => self.0.message(MessageKind::Binary, bytes),
            WebSocketEvent::Ping(payload) => self.0.ping(payload).expect("a short payload"),
            WebSocketEvent::Pong(payload) => self.0.pong(payload).expect("a short payload"),
            WebSocketEvent::Close(close) => {
                let close = close.as_ref().map(|(code, reason)| {
                    let code = CloseCode::new(*code).expect("a code that may be sent");
                    CloseFrame::new(code, reason.as_str().to_owned()).expect("a short reason")
                });
                self.0.close(close.as_ref())
            }
        }
        .to_vec()
    }

    /// Frees the memory of earlier messages.
    pub fn shrink(&mut self) {
        self.0.shrink();
    }
}

/// Returns the response of a server to the values of `Sec-WebSocket-Extensions`, and whether a
/// client with the default offer accepts it.
///
/// # Errors
///
/// Returns an error if a value is malformed.
pub fn websocket_extensions(values: &[&[u8]]) -> Result<Option<(String, bool)>, String> {
    let wanted = DeflateParams::default();
    let accepted = permessage_deflate::accept(values.iter().copied(), &wanted);
    Ok(accepted.map_err(|error| error.to_string())?.map(|accepted| {
        let response = [accepted.response.as_bytes()].into_iter();
        let agreed = permessage_deflate::agreed(response, &wanted);
        (accepted.response, agreed == Ok(Some(accepted.params)))
    }))
}

impl From<Event> for WebSocketEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Message(Message::Text(text)) => Self::Text(text.into()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(close) => {
                Self::Close(close.map(|c| (c.code().as_u16(), c.reason().as_str().to_owned())))
            }
        }
    }
}
