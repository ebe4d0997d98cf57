//! The forms that browsers send, as pure parsers.

pub(crate) mod urlencoded;
