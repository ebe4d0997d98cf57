//! Decompressing a body.

use super::{BodyFailure, RequestBody, Step};
use crate::connection::receive::Input;
use crate::http1::body::BodyStep;
use crate::http1::inflate::{BodyInflater, ContentCoding, InflateStep};

/// The most decompressed bytes of one step.
const STEP: usize = 16 * 1024;

/// The most decompressed bytes that are passed on together.
const PIECE: usize = 64 * 1024;

/// The task yields after this many pieces. A few hundred well compressed bytes take milliseconds.
const PIECES_PER_TURN: u8 = 4;

/// The state of decompression.
#[derive(Debug)]
pub(super) struct Inflating {
    inflater: BodyInflater,
    /// The number of bytes at the front of the input whose framing has been removed.
    framed: usize,
    /// The last step has filled its output, so there may be more.
    is_full: bool,
    given: u64,
    /// The number of pieces since the task yielded.
    pieces: u8,
}

impl Inflating {
    fn new(coding: ContentCoding) -> Self {
        let inflater = BodyInflater::new(coding);
        Self { inflater, framed: 0, is_full: false, given: 0, pieces: 0 }
    }
}

impl RequestBody {
    /// Decompresses the body. Its limit holds for the decompressed bytes as well.
    pub(crate) fn inflate(&mut self, coding: ContentCoding) {
        if !self.is_done() {
            self.inflating = Some(Box::new(Inflating::new(coding)));
        }
    }

    /// Stops decompressing. The rest of the body is only discarded.
    pub(super) fn stop_inflating(&mut self, input: &mut Input) {
        if let Some(inflating) = self.inflating.take() {
            input.consume(inflating.framed);
        }
    }

    /// Like [`read`](Self::read), but decompresses.
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
            return self.remove_framing(input);
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

    fn remove_framing(&mut self, input: &mut Input) -> Result<Progress, BodyFailure> {
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

/// The result of one step.
enum Progress {
    /// The number of decompressed bytes, possibly 0.
    Filled(usize),
    /// More bytes must be received first.
    Starved,
    /// The body is complete.
    Ended,
}
