//! A body that is compressed, and given out as it was before.

use super::input::Input;
use super::request_body::{BodyFailure, RequestBody, Step};
use crate::http1::body::BodyStep;
use crate::http1::inflate::{BodyInflater, ContentCoding, InflateStep};

/// How much is inflated in one step.
const STEP: usize = 16 * 1024;

/// How much is given out together.
const PIECE: usize = 64 * 1024;

/// After so many pieces others have their turn: a few hundred bytes that are
/// compressed well are work for milliseconds.
const PIECES_PER_TURN: u8 = 4;

/// A coding that is being taken off a body.
#[derive(Debug)]
pub(super) struct Inflating {
    inflater: BodyInflater,
    /// Bytes at the front of the input whose framing has been taken off.
    framed: usize,
    /// The last step has filled its output, so that there may be more.
    is_full: bool,
    given: u64,
    /// Pieces since others had their turn.
    pieces: u8,
}

impl Inflating {
    fn new(coding: ContentCoding) -> Self {
        let inflater = BodyInflater::new(coding);
        Self { inflater, framed: 0, is_full: false, given: 0, pieces: 0 }
    }
}

impl RequestBody {
    /// Has `coding` taken off the body. Its limit counts for what comes out as well.
    pub(crate) fn inflate(&mut self, coding: ContentCoding) {
        if !self.is_done() {
            self.inflating = Some(Box::new(Inflating::new(coding)));
        }
    }

    /// Goes on with what was received, for who only wants to be rid of it.
    pub(super) fn stop_inflating(&mut self, input: &mut Input) {
        if let Some(inflating) = self.inflating.take() {
            input.consume(inflating.framed);
        }
    }

    /// As [`read`](Self::read), and takes the coding off.
    #[cold]
    pub(super) fn read_inflated(
        &mut self,
        input: &mut Input,
        limit: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Step, BodyFailure> {
        if let Some(inflating) = &mut self.inflating
            && inflating.pieces == PIECES_PER_TURN
        {
            inflating.pieces = 0;
            return Ok(Step::Yield);
        }
        let mut output = [0; STEP];
        let mut piece = 0;
        let limit = limit.min(PIECE);
        while piece < limit {
            match self.step(input, &mut output[..STEP.min(limit - piece)], sink) {
                Ok(Progress::Filled(filled)) => piece += filled,
                Ok(Progress::Ended) if piece == 0 => return Ok(Step::End),
                Ok(Progress::Starved) if piece == 0 => return Ok(Step::Starved),
                Ok(Progress::Ended | Progress::Starved) => break,
                Err(failure) => {
                    self.failure = Some(failure);
                    if piece == 0 {
                        return Err(failure);
                    }
                    break;
                }
            }
        }
        if let Some(inflating) = &mut self.inflating {
            inflating.pieces += 1;
        }
        Ok(Step::Data)
    }

    fn step(
        &mut self,
        input: &mut Input,
        output: &mut [u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Progress, BodyFailure> {
        let Some(inflating) = &mut self.inflating else { return Ok(Progress::Ended) };
        if inflating.framed == 0 && !inflating.is_full {
            return self.take_framing_off(input);
        }
        let framed = &input.unread()[..inflating.framed];
        let inflated = inflating.inflater.inflate(framed, output);
        let InflateStep { used, filled } = inflated.map_err(BodyFailure::Malformed)?;
        input.consume(used);
        inflating.framed -= used;
        inflating.is_full = filled == output.len();
        inflating.given += filled as u64;
        if inflating.given > self.limit {
            return Err(BodyFailure::TooLarge);
        }
        if filled > 0 {
            sink(&output[..filled]);
        }
        Ok(Progress::Filled(filled))
    }

    fn take_framing_off(&mut self, input: &mut Input) -> Result<Progress, BodyFailure> {
        let Some(inflating) = &mut self.inflating else { return Ok(Progress::Ended) };
        match self.decoder.decode(input.unread()).map_err(BodyFailure::Malformed)? {
            BodyStep::Data { skip, len } => {
                input.consume(skip);
                inflating.framed = len;
                self.received += len as u64;
                self.check_size()?;
            }
            BodyStep::Skip(0) => {
                self.check_size()?;
                return Ok(Progress::Starved);
            }
            BodyStep::Skip(skip) => input.consume(skip),
            BodyStep::Done { skip } => {
                input.consume(skip);
                let end = inflating.inflater.end();
                self.inflating = None;
                return end.map(|()| Progress::Ended).map_err(BodyFailure::Malformed);
            }
        }
        Ok(Progress::Filled(0))
    }
}

/// What one step has done.
enum Progress {
    /// So many bytes came out, possibly none.
    Filled(usize),
    /// More must be received first.
    Starved,
    Ended,
}
