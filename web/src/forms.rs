//! Pure parsers for the forms that browsers send.

pub(crate) mod urlencoded;
