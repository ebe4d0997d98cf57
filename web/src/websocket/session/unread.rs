//! Bytes of the peer that were received and not decoded yet.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::transport::{Transport, with_read_buffer};
use crate::websocket::codec::decoder::{Decoded, Decoder, Event};
use crate::websocket::codec::error::DecodeError;

/// What was read behind an event: memory of just this size, so that a session that waits for its
/// handler holds no more than it must.
#[derive(Debug, Default)]
pub(super) struct Unread(Option<Box<Rest>>);

#[derive(Debug)]
struct Rest {
    bytes: Vec<u8>,
    start: usize,
}

/// Why there will be no more events.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadError {
    /// The stream has ended or broken.
    Ended(io::ErrorKind),
    /// The peer broke the protocol.
    Faulty(DecodeError),
}

impl From<DecodeError> for ReadError {
    fn from(error: DecodeError) -> Self {
        Self::Faulty(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Ended(error.kind())
    }
}

impl Unread {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Rest { bytes, start: 0 })))
    }

    /// Reads up to the next event, and says how many bytes that took. `heard` is set if any byte
    /// arrives.
    pub(super) fn poll_event(
        &mut self,
        transport: &mut dyn Transport,
        decoder: &mut Decoder,
        heard: &mut bool,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<(Event, usize), ReadError>> {
        let mut total = 0;
        loop {
            let (used, event) = if self.0.is_none() {
                let (used, event) = ready!(self.poll_read(transport, decoder, task))?;
                *heard = true;
                (used, event)
            } else {
                self.decode(decoder)?
            };
            total += used;
            if let Some(event) = event {
                return Poll::Ready(Ok((event, total)));
            }
        }
    }

    /// Decodes what is here already.
    fn decode(&mut self, decoder: &mut Decoder) -> Result<(usize, Option<Event>), DecodeError> {
        let Some(rest) = &mut self.0 else { return Ok((0, None)) };
        let Decoded { used, event } = decoder.decode(&mut rest.bytes[rest.start..])?;
        rest.start += used;
        if rest.start == rest.bytes.len() {
            self.0 = None;
        }
        Ok((used, event))
    }

    fn poll_read(
        &mut self,
        transport: &mut dyn Transport,
        decoder: &mut Decoder,
        task: &mut TaskContext<'_>,
    ) -> Poll<Result<(usize, Option<Event>), ReadError>> {
        if let Some(room) = decoder.direct_room() {
            let count = ready!(transport.poll_read_behind(task, room))?;
            return Poll::Ready(match count {
                0 => Err(ReadError::Ended(io::ErrorKind::UnexpectedEof)),
                _ => Ok((count, decoder.direct_received(count)?)),
            });
        }
        with_read_buffer(|buffer| {
            let count = ready!(Pin::new(transport).poll_read(task, buffer))?;
            if count == 0 {
                return Poll::Ready(Err(ReadError::Ended(io::ErrorKind::UnexpectedEof)));
            }
            let Decoded { used, event } = decoder.decode(&mut buffer[..count])?;
            *self = Self::new(buffer[used..count].to_vec());
            Poll::Ready(Ok((used, event)))
        })
    }
}
