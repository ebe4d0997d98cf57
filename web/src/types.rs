//! Values and small tools that every layer uses: text, bytes, HTTP names, the pool of boxes.

pub(crate) mod chunk;
pub(crate) mod content;
pub(crate) mod drop_each;
pub mod http;
pub(crate) mod local_future;
pub(crate) mod pool;
pub(crate) mod shield;
pub(crate) mod text;
