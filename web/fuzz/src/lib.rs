//! What the fuzz targets share: readers of requests and of responses that have nothing in
//! common with those of the framework but the standard, written to be plain.

use squall::fuzzing::BodyFraming;

pub mod answers;
pub mod frames;
pub mod gunzip;
pub mod pieces;
pub mod server;
pub mod simple;
