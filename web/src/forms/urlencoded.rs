//! The fields of a query or a form (`application/x-www-form-urlencoded`).

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::percent_decode;

use crate::error::{HTTPError, Result, invalid};
use crate::routing::{InvalidUtf8, decode_argument};
use crate::types::content::Content;
use crate::types::text::Text;

/// The maximum number of fields. Each takes more memory than the client has sent for it.
const MAX_FIELDS: usize = 1000;

/// The fields `name=value&…` of a query or a form. A field is decoded when a handler reads it.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    encoded: Content,
    places: Vec<FieldRange>,
}

/// The ranges of the name and the value of a field.
#[derive(Debug)]
struct FieldRange {
    name: Range<usize>,
    value: Range<usize>,
}

impl Fields {
    /// Finds the fields in `encoded`. Skips empty ones.
    ///
    /// # Errors
    ///
    /// Returns a 400 for more than 1,000 fields.
    pub(crate) fn parse(encoded: Content) -> Result<Self> {
        let mut places = Vec::new();
        let mut start = 0;
        for field in encoded.split(|&byte| byte == b'&') {
            let end = start + field.len();
            if !field.is_empty() {
                check_count(places.len() + 1)?;
                let equals = field.iter().position(|&byte| byte == b'=');
                let middle = start + equals.unwrap_or(field.len());
                places.push(FieldRange { name: start..middle, value: end.min(middle + 1)..end });
            }
            start = end + 1;
        }
        Ok(Self { encoded, places })
    }

    /// Returns the value of the last field called `name`, decoded.
    ///
    /// # Errors
    ///
    /// Returns a 400 if it is not UTF-8.
    pub(crate) fn last(&self, name: &str) -> Result<Option<Text>> {
        self.places
            .iter()
            .rfind(|place| self.is_called(place, name))
            .map(|p| self.value(p, name))
            .transpose()
    }

    /// Returns the values of all fields called `name`, decoded.
    ///
    /// # Errors
    ///
    /// Like [`last`](Self::last).
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Result<Text>> {
        let called = self.places.iter().filter(move |place| self.is_called(place, name));
        called.map(move |place| self.value(place, name))
    }

    fn is_called(&self, place: &FieldRange, name: &str) -> bool {
        let encoded = &self.encoded[place.name.clone()];
        match encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            false => encoded == name.as_bytes(),
            // An escape has three bytes, so a longer name cannot match and need not be decoded.
            true => {
                encoded.len() <= 3 * name.len() && percent_decode(&spaced(encoded)).eq(name.bytes())
            }
        }
    }

    /// Returns the bytes of the value of the last field called `name`, decoded.
    pub(crate) fn last_bytes(&self, name: &str) -> Option<Vec<u8>> {
        let place = self.places.iter().rfind(|place| self.is_called(place, name))?;
        Some(percent_decode(&spaced(&self.encoded[place.value.clone()])).collect())
    }

    /// Decodes the value of a field called `name`, and strips the spaces around it.
    fn value(&self, place: &FieldRange, name: &str) -> Result<Text> {
        let spaced = spaced(&self.encoded[place.value.clone()]);
        let decoded = decode_argument(&spaced)
            .map_err(|InvalidUtf8| invalid(format_args!("argument {name:?}"), "not UTF-8"))?;
        Ok(Text::from(decoded.trim().to_owned()))
    }
}

/// Refuses a query or a form with too many fields, without decoding them.
///
/// # Errors
///
/// Returns a 400 for more than 1,000 fields.
pub(crate) fn check_fields(encoded: &[u8]) -> Result {
    let fields = encoded.split(|&byte| byte == b'&').filter(|field| !field.is_empty());
    check_count(fields.take(MAX_FIELDS + 1).count())
}

fn check_count(count: usize) -> Result {
    if count > MAX_FIELDS {
        let message = format!("there are more than {MAX_FIELDS} fields");
        Err(HTTPError::BAD_REQUEST.with_message(message))?;
    }
    Ok(())
}

/// Replaces each `+` by a space.
fn spaced(encoded: &[u8]) -> Cow<'_, [u8]> {
    if encoded.contains(&b'+') {
        encoded.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect()
    } else {
        encoded.into()
    }
}
