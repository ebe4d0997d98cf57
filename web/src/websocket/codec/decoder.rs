//! Bytes to events.

use bytes::Bytes;

use super::Role;
use super::arriving::{Arriving, Frame, PartialMessage};
use super::assembly::{Assembly, Expected};
use super::close::CloseFrame;
use super::deflate::inflate::Inflater;
use super::deflate::params::Deflate;
use super::error::DecodeError;
use super::header::{FrameHeader, MAX_HEADER, Opcode};
use crate::websocket::message::{Message, MessageKind};

/// A binary frame is received [directly](Decoder::direct_room) if this much of it is left.
const MIN_DIRECT: usize = 16 * 1024;

/// How long frames and messages may be, in bytes. A longer one is an error as soon as its header
/// or its decompressed bytes show it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// The longest payload of a frame, as it is sent.
    pub(crate) max_frame_size: usize,
    /// The longest message: as it is sent, without headers, and after decompression.
    pub(crate) max_message_size: usize,
}

impl Limits {
    /// Tornado's limit for messages.
    pub(crate) const DEFAULT_MAX_MESSAGE_SIZE: usize = 10 * 1024 * 1024;
}

impl Default for Limits {
    /// Messages of up to 10 MiB, in frames of any length.
    fn default() -> Self {
        Self { max_frame_size: usize::MAX, max_message_size: Self::DEFAULT_MAX_MESSAGE_SIZE }
    }
}

/// Something that a peer sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// A whole message.
    Message(Message),
    /// A ping with this payload, at most 125 bytes, which the pong must have as well.
    Ping(Bytes),
    /// A pong with this payload, at most 125 bytes.
    Pong(Bytes),
    /// A close frame, with its code and reason if it has any. Whatever follows it is ignored.
    Close(Option<CloseFrame>),
}

/// The outcome of a call of [`Decoder::decode`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// How many bytes were used: all, if there is no event.
    pub(crate) used: usize,
    pub(crate) event: Option<Event>,
}

/// Reads the frames of a peer.
///
/// Between two messages, it holds no memory but the history of
/// [context takeover](super::deflate::history).
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    limits: Limits,
    state: State,
    /// `None` between two messages. A message that arrives whole never gets here.
    arriving: Option<Box<Arriving>>,
    inflater: Option<Box<Inflater>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    /// A close frame was received.
    Closed,
    Failed(DecodeError),
}

impl Decoder {
    /// A decoder for the side `role` of a new connection. Compressed messages are accepted if
    /// `deflate` was agreed on.
    pub(crate) fn new(role: Role, limits: Limits, deflate: Option<&Deflate>) -> Self {
        Self {
            role,
            limits,
            state: State::Open,
            arriving: None,
            inflater: deflate.map(|deflate| Box::new(Inflater::new(deflate, role))),
        }
    }

    /// Reads up to the end of the next event, or all of `input`, which must follow everything
    /// that was used before. Payloads are unmasked in place.
    ///
    /// Call it again with the rest of the input while it returns an event. A message that is whole
    /// in `input` is copied once. After a close frame, everything is used and ignored.
    ///
    /// # Errors
    ///
    /// As soon as the bytes break the protocol or a limit. All later calls return the same error.
    pub(crate) fn decode(&mut self, input: &mut [u8]) -> Result<Decoded, DecodeError> {
        match self.state {
            State::Open => {}
            State::Closed => return Ok(Decoded { used: input.len(), event: None }),
            State::Failed(error) => return Err(error),
        }
        let mut arriving = self.arriving.take().map_or_else(Arriving::default, |boxed| *boxed);
        let decoded = self.read(&mut arriving, input);
        if !arriving.is_nothing() {
            self.arriving = Some(Box::new(arriving));
        }
        self.note_end(decoded.as_ref().map(|decoded| decoded.event.as_ref()));
        decoded
    }

    /// Memory into which the next bytes should be received directly, and not into the buffer that
    /// is given to [`decode`](Self::decode). It is there while much of a binary frame is left.
    ///
    /// The caller may fill the spare capacity of the vector, or a part of it, and must then call
    /// [`direct_received`](Self::direct_received). The capacity does not reach beyond the frame.
    pub(crate) fn direct_room(&mut self) -> Option<&mut Vec<u8>> {
        let arriving = self.arriving.as_deref_mut()?;
        let frame = arriving.frame.as_ref()?;
        if self.state != State::Open || frame.opcode.is_control() || frame.left < MIN_DIRECT as u64
        {
            return None;
        }
        let left = usize::try_from(frame.left).ok()?;
        let message = arriving.message.as_mut().filter(|message| message.inflation.is_none())?;
        message.assembly.direct_room(left, self.limits.max_message_size)
    }

    /// Takes note of `count` bytes that were appended to the [room](Self::direct_room), which may
    /// complete a message.
    ///
    /// # Errors
    ///
    /// If an earlier call returned an error.
    pub(crate) fn direct_received(&mut self, count: usize) -> Result<Option<Event>, DecodeError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        let Some(arriving) = self.arriving.as_deref_mut() else { return Ok(None) };
        let (Some(frame), Some(message)) = (&mut arriving.frame, &mut arriving.message) else {
            return Ok(None);
        };
        let Assembly::Binary(bytes) = &mut message.assembly else { return Ok(None) };
        debug_assert!(count as u64 <= frame.left, "more was received than there was room for");
        let start = bytes.len().saturating_sub(count);
        if let Some(key) = &mut frame.mask {
            key.apply(&mut bytes[start..]);
        }
        frame.left = frame.left.saturating_sub(count as u64);
        if frame.left > 0 {
            return Ok(None);
        }
        let fin = frame.fin;
        arriving.frame = None;
        let Some(mut arriving) = self.arriving.take() else { return Ok(None) };
        let event = self.read_message(&mut arriving, &[], 0, fin);
        self.arriving = (!arriving.is_nothing()).then_some(arriving);
        self.note_end(event.as_ref().map(Option::as_ref));
        event
    }

    /// Whether the last message is complete, and no part of another frame has arrived.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn is_between_messages(&self) -> bool {
        self.arriving.is_none()
    }

    /// How many bytes of memory it holds for messages: the one that is arriving, and the history of
    /// context takeover. A decompressor in use is not counted.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn memory(&self) -> usize {
        let arriving = self.arriving.as_ref().map_or(0, |arriving| arriving.memory());
        arriving + self.inflater.as_ref().map_or(0, |i| i.memory())
    }

    /// Returns memory that is not needed, for a wait that may be long.
    pub(crate) fn shrink(&mut self) {
        if let Some(inflater) = &mut self.inflater {
            inflater.shrink();
        }
    }

    /// Takes note of the end of the connection, by a close frame or an error, and returns the
    /// memory.
    fn note_end(&mut self, outcome: Result<Option<&Event>, &DecodeError>) {
        self.state = match outcome {
            Ok(Some(Event::Close(_))) => State::Closed,
            Ok(_) => return,
            Err(error) => State::Failed(*error),
        };
        let message = self.arriving.take().and_then(|arriving| arriving.message);
        if let (Some(inflater), Some(message)) = (self.inflater.take(), message)
            && let Some(inflation) = message.inflation
        {
            inflater.abandon(inflation);
        }
    }

    fn read(&mut self, arriving: &mut Arriving, input: &mut [u8]) -> Result<Decoded, DecodeError> {
        let mut used = 0;
        loop {
            if arriving.frame.is_none() {
                used += self.read_header(arriving, &input[used..])?;
            }
            // A header that is not complete has used all.
            let Some(frame) = &mut arriving.frame else { return Ok(Decoded { used, event: None }) };
            let rest = &mut input[used..];
            let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
            let (piece, _) = rest.split_at_mut(left.min(rest.len()));
            used += piece.len();
            if let Some(event) = self.read_payload(arriving, piece)? {
                return Ok(Decoded { used, event: Some(event) });
            }
            if arriving.frame.is_some() {
                return Ok(Decoded { used, event: None });
            }
        }
    }

    /// Reads a header, or as much of it as has arrived. Returns how many bytes that took.
    fn read_header(&self, arriving: &mut Arriving, input: &[u8]) -> Result<usize, DecodeError> {
        let before = usize::from(arriving.header.len);
        if before == 0
            && let Some((header, length)) = FrameHeader::parse(input)?
        {
            self.begin_frame(arriving, header)?;
            return Ok(length);
        }
        let count = input.len().min(MAX_HEADER - before);
        let end = before + count;
        arriving.header.bytes[before..end].copy_from_slice(&input[..count]);
        let Some((header, length)) = FrameHeader::parse(&arriving.header.bytes[..end])? else {
            arriving.header.len = end as u8;
            return Ok(count);
        };
        arriving.header.len = 0;
        self.begin_frame(arriving, header)?;
        Ok(length - before)
    }

    fn begin_frame(&self, arriving: &mut Arriving, header: FrameHeader) -> Result<(), DecodeError> {
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(DecodeError::NotMasked),
            (Role::Client, Some(_)) => return Err(DecodeError::Masked),
            _ => {}
        }
        match header.opcode {
            Opcode::Text => self.begin_message(arriving, header, MessageKind::Text)?,
            Opcode::Binary => self.begin_message(arriving, header, MessageKind::Binary)?,
            _ if header.compressed => return Err(DecodeError::ReservedBits),
            Opcode::Continuation => {
                let message =
                    arriving.message.as_mut().ok_or(DecodeError::UnexpectedContinuation)?;
                message.announced = message.announced.saturating_add(header.length);
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        if !header.opcode.is_control() {
            self.check_size(arriving, header.length)?;
        }
        let FrameHeader { opcode, fin, mask, length: left, .. } = header;
        arriving.frame = Some(Frame { opcode, fin, mask, left });
        Ok(())
    }

    fn begin_message(
        &self,
        arriving: &mut Arriving,
        header: FrameHeader,
        kind: MessageKind,
    ) -> Result<(), DecodeError> {
        let inflation = match &self.inflater {
            None if header.compressed => return Err(DecodeError::ReservedBits),
            _ if arriving.message.is_some() => return Err(DecodeError::MessageInterrupted),
            Some(inflater) if header.compressed => Some(inflater.begin()),
            _ => None,
        };
        let assembly = Assembly::new(kind);
        arriving.message = Some(PartialMessage { assembly, announced: header.length, inflation });
        Ok(())
    }

    fn check_size(&self, arriving: &Arriving, frame: u64) -> Result<(), DecodeError> {
        let is_over = |size: u64, limit: usize| usize::try_from(size).map_or(true, |s| s > limit);
        let announced = arriving.message.as_ref().map_or(0, |message| message.announced);
        if is_over(frame, self.limits.max_frame_size) {
            return Err(DecodeError::FrameTooBig);
        }
        if is_over(announced, self.limits.max_message_size) {
            return Err(DecodeError::MessageTooBig);
        }
        Ok(())
    }

    /// Reads the next bytes of the current frame.
    fn read_payload(
        &mut self,
        arriving: &mut Arriving,
        piece: &mut [u8],
    ) -> Result<Option<Event>, DecodeError> {
        let Some(frame) = &mut arriving.frame else { return Ok(None) };
        if let Some(key) = &mut frame.mask {
            key.apply(piece);
        }
        frame.left -= piece.len() as u64;
        let (opcode, left) = (frame.opcode, frame.left);
        let is_last = left == 0 && frame.fin;
        if left == 0 {
            arriving.frame = None;
        }
        match opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.read_message(arriving, piece, left, is_last)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong if left > 0 => {
                arriving.control.extend_from_slice(piece);
                Ok(None)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong if arriving.control.is_empty() => {
                control_event(opcode, piece).map(Some)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                let mut payload = std::mem::take(&mut arriving.control);
                payload.extend_from_slice(piece);
                control_event(opcode, &payload).map(Some)
            }
        }
    }

    /// Reads the next bytes of a message, of which `left` more are in the same frame.
    fn read_message(
        &mut self,
        arriving: &mut Arriving,
        piece: &[u8],
        left: u64,
        is_last: bool,
    ) -> Result<Option<Event>, DecodeError> {
        let limit = self.limits.max_message_size;
        if !is_last {
            let Some(message) = &mut arriving.message else { return Ok(None) };
            match (&mut message.inflation, &self.inflater) {
                (Some(inflation), Some(inflater)) => {
                    inflater.push(inflation, &mut message.assembly, piece, limit)?;
                }
                _ => {
                    let fin = arriving.frame.as_ref().is_some_and(|frame| frame.fin);
                    let rest = usize::try_from(left).ok().filter(|_| fin);
                    message.assembly.push(piece, Expected { rest, limit })?;
                }
            }
            return Ok(None);
        }
        let Some(PartialMessage { assembly, inflation, .. }) = arriving.message.take() else {
            return Ok(None);
        };
        let message = match (inflation, &mut self.inflater) {
            (Some(inflation), Some(inflater)) => {
                inflater.finish(inflation, assembly, piece, limit)?
            }
            _ => assembly.finish(piece)?,
        };
        Ok(Some(Event::Message(message)))
    }
}

fn control_event(opcode: Opcode, payload: &[u8]) -> Result<Event, DecodeError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(Bytes::copy_from_slice(payload)),
        Opcode::Pong => Event::Pong(Bytes::copy_from_slice(payload)),
        _ => Event::Close(CloseFrame::parse(payload)?),
    })
}

#[cfg(test)]
mod tests;
