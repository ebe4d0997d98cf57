/// A host that was found to be one: that of the last request, with the line end after it.
///
/// A server has few names, so that it is most often that of the next request as well, and needs
/// no closer look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownHost {
    first: [u8; 16],
    last: [u8; 16],
    /// With the line end. Of less than 16, half of `first` and of `last` is used; 0: none is known.
    length: u32,
}

impl KnownHost {
    const LINE_END: u32 = 2;

    /// Keeps `line`, a host with the line end after it, if it is neither very short nor long.
    pub(super) fn set(&mut self, line: &[u8]) {
        self.length = 0;
        if let (Some(first), Some(last)) = (line.first_chunk::<16>(), line.last_chunk::<16>()) {
            if line.len() <= 32 {
                *self = Self { first: *first, last: *last, length: line.len() as u32 };
            }
        } else if let (Some(first), Some(last)) = (line.first_chunk::<8>(), line.last_chunk::<8>())
        {
            self.first[..8].copy_from_slice(first);
            self.last[8..].copy_from_slice(last);
            self.length = line.len() as u32;
        }
    }

    /// The length of the host at `at`, if it is this one, and the line ends after it.
    #[inline(always)]
    pub(super) fn length_at(&self, bytes: &[u8], at: u32) -> Option<u32> {
        let line = bytes.get(at as usize..at as usize + self.length as usize)?;
        let is_same = if self.length >= 16 {
            line.first_chunk() == Some(&self.first) && line.last_chunk() == Some(&self.last)
        } else {
            line.first_chunk::<8>()? == self.first.first_chunk()?
                && line.last_chunk::<8>()? == self.last.last_chunk()?
        };
        is_same.then_some(self.length.wrapping_sub(Self::LINE_END))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_host_with_its_line_end_is_known() {
        let hosts: Vec<String> =
            (0..40).map(|length| format!("{}.example", "a".repeat(length))).collect();
        for host in &hosts {
            let mut known = KnownHost::default();
            known.set(b"an-earlier.example\r\n");
            known.set(format!("{host}\r\n").as_bytes());
            let expected = (host.len() + 2 <= 32).then_some(host.len() as u32);
            for end in ["\r\n", "\r\n\r\n", "\r\nAccept: */*\r\n\r\n"] {
                let lines = format!("Host: {host}{end}");
                assert_eq!(known.length_at(lines.as_bytes(), 6), expected, "{host}");
            }
            for end in ["", "\r", "\n\n", " \r\n", ":80\r\n"] {
                let lines = format!("Host: {host}{end}");
                assert_eq!(known.length_at(lines.as_bytes(), 6), None, "{host}");
            }
            for at in 0..host.len() {
                let mut other = format!("{host}\r\n").into_bytes();
                other[at] ^= 1;
                assert_eq!(known.length_at(&other, 0), None, "{host}, {at}");
            }
            for other in hosts.iter().filter(|other| *other != host) {
                let line = format!("{other}\r\n");
                assert_eq!(known.length_at(line.as_bytes(), 0), None, "{host}, {other}");
            }
        }
        assert_eq!(KnownHost::default().length_at(b"", 0), None);
        assert_eq!(KnownHost::default().length_at(b"\r\n\r\n\r\n\r\n", 0), None);
    }
}
