//! Text whose bytes arrive in pieces.

use super::error::DecodeError;

/// Valid text, and the beginning of the character that follows it.
#[derive(Debug, Default)]
pub(super) struct PartialText {
    text: String,
    /// The bytes of an incomplete character. `begun` of them have arrived.
    character: [u8; 4],
    begun: u8,
}

impl PartialText {
    /// The valid text so far. Its memory may be reserved through this reference.
    pub(super) fn text_mut(&mut self) -> &mut String {
        &mut self.text
    }

    /// The bytes so far: the valid text, and the beginning of an incomplete character.
    pub(super) fn bytes(&self) -> [&[u8]; 2] {
        [self.text.as_bytes(), &self.character[..usize::from(self.begun)]]
    }

    /// How many bytes have arrived.
    pub(super) fn len(&self) -> usize {
        self.text.len() + usize::from(self.begun)
    }

    /// Appends `piece`.
    ///
    /// # Errors
    ///
    /// As soon as the bytes cannot begin any valid text.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        let piece = self.complete_character(piece)?;
        let (whole, rest) = piece.split_at(piece.len() - incomplete_length(piece));
        self.text.push_str(str::from_utf8(whole).map_err(|_| DecodeError::InvalidUtf8)?);
        if !rest.is_empty() {
            check_beginning(rest)?;
            self.character[..rest.len()].copy_from_slice(rest);
            self.begun = rest.len() as u8;
        }
        Ok(())
    }

    /// The whole text.
    ///
    /// # Errors
    ///
    /// If its last character is incomplete.
    pub(super) fn finish(self) -> Result<String, DecodeError> {
        match self.begun {
            0 => Ok(self.text),
            _ => Err(DecodeError::InvalidUtf8),
        }
    }

    /// Takes the bytes that the incomplete character lacks off the front of `piece`.
    fn complete_character<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        while self.begun > 0
            && let Some((byte, rest)) = piece.split_first()
        {
            let begun = usize::from(self.begun) + 1;
            self.character[begun - 1] = *byte;
            match str::from_utf8(&self.character[..begun]) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.begun = 0;
                }
                Err(_) => {
                    check_beginning(&self.character[..begun])?;
                    self.begun += 1;
                }
            }
            piece = rest;
        }
        Ok(piece)
    }
}

/// How many bytes at the end of `bytes` may be the beginning of a character, at most 3.
fn incomplete_length(bytes: &[u8]) -> usize {
    for (count, byte) in (1..=3).zip(bytes.iter().rev()) {
        let width = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            0x00..=0x7f => 1,
        };
        return if width > count { count } else { 0 };
    }
    0
}

/// Checks that some character begins with `bytes`.
fn check_beginning(bytes: &[u8]) -> Result<(), DecodeError> {
    match str::from_utf8(bytes) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => Ok(()),
        _ => Err(DecodeError::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether some valid text begins with `bytes`.
    fn may_begin_text(bytes: &[u8]) -> bool {
        str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none())
    }

    /// Pushes `bytes` one by one. Returns how many were taken.
    fn push_bytes(bytes: &[u8]) -> (PartialText, usize) {
        let mut text = PartialText::default();
        for (index, byte) in bytes.iter().enumerate() {
            if text.push(&[*byte]).is_err() {
                return (text, index);
            }
            assert_eq!(text.bytes().concat(), &bytes[..=index]);
            assert_eq!(text.len(), index + 1);
        }
        (text, bytes.len())
    }

    fn check(bytes: &[u8]) {
        let (text, taken) = push_bytes(bytes);
        let expected = (0..=bytes.len()).rev().find(|&end| may_begin_text(&bytes[..end]));
        assert_eq!(Some(taken), expected, "{bytes:02x?}: not the first impossible byte");
        let valid = str::from_utf8(bytes).ok();
        let finished = if taken == bytes.len() { text.finish().ok() } else { None };
        assert_eq!(finished.as_deref(), valid, "{bytes:02x?}");
        for cut in 0..=bytes.len() {
            let mut text = PartialText::default();
            let (first, second) = bytes.split_at(cut);
            let pushed = text.push(first).and_then(|()| text.push(second));
            assert_eq!(pushed.is_ok(), taken == bytes.len(), "{bytes:02x?} cut at {cut}");
            if pushed.is_ok() {
                assert_eq!(text.bytes().concat(), bytes);
                assert_eq!(text.finish().ok().as_deref(), valid);
            }
        }
    }

    /// Bytes at the edges of all the ranges that UTF-8 tells apart.
    const EDGES: [u8; 30] = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
        0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff,
    ];

    #[test]
    fn text_is_refused_at_its_first_impossible_byte() {
        for first in EDGES {
            check(&[first]);
            for second in EDGES {
                check(&[first, second]);
                for third in EDGES {
                    check(&[first, second, third]);
                }
            }
        }
        for third in EDGES {
            for fourth in EDGES {
                for [first, second] in [[0xf0, 0x8f], [0xf0, 0x90], [0xf4, 0x8f], [0xf4, 0x90]] {
                    check(&[first, second, third, fourth]);
                    check(&[b'a', first, second, third, fourth, b'b']);
                }
            }
        }
    }

    #[test]
    fn every_character_may_be_cut_anywhere() {
        for character in (0..=u32::from(char::MAX)).step_by(97).filter_map(char::from_u32) {
            let text = format!("a{character}b{character}");
            check(text.as_bytes());
        }
    }
}
