//! How far compressed messages refer back. No decompressor reports that.

use std::collections::HashMap;

use super::*;

/// Reads DEFLATE data bit by bit (RFC 1951).
struct Reader<'a> {
    bytes: &'a [u8],
    bit: usize,
}

/// The symbol of each code, by its number of bits and its value.
struct Codes(HashMap<(u32, u32), usize>);

impl Reader<'_> {
    fn bits(&mut self, count: u32) -> usize {
        (0..count).fold(0, |value, place| value | self.one_bit() << place)
    }

    fn one_bit(&mut self) -> usize {
        let bit = self.bytes[self.bit / 8] >> (self.bit % 8) & 1;
        self.bit += 1;
        usize::from(bit)
    }

    fn symbol(&mut self, codes: &Codes) -> usize {
        let (mut code, mut length) = (0, 0);
        loop {
            code = code << 1 | self.one_bit() as u32;
            length += 1;
            if let Some(symbol) = codes.0.get(&(length, code)) {
                return *symbol;
            }
            assert!(length < 16, "no such code");
        }
    }

    fn dynamic_codes(&mut self) -> (Codes, Codes) {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (literals, distances) = (self.bits(5) + 257, self.bits(5) + 1);
        let mut lengths = [0; 19];
        for place in 0..self.bits(4) + 4 {
            lengths[ORDER[place]] = self.bits(3) as u32;
        }
        let codes = Codes::new(&lengths);
        let mut lengths: Vec<u32> = Vec::new();
        while lengths.len() < literals + distances {
            let (length, times) = match self.symbol(&codes) {
                16 => (*lengths.last().unwrap(), 3 + self.bits(2)),
                17 => (0, 3 + self.bits(3)),
                18 => (0, 11 + self.bits(7)),
                length => (length as u32, 1),
            };
            lengths.extend(vec![length; times]);
        }
        (Codes::new(&lengths[..literals]), Codes::new(&lengths[literals..]))
    }
}

impl Codes {
    fn new(lengths: &[u32]) -> Self {
        let (mut codes, mut code) = (HashMap::new(), 0);
        for bits in 1..16 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, length)| **length == bits) {
                codes.insert((bits, code), symbol);
                code += 1;
            }
            code <<= 1;
        }
        Self(codes)
    }
}

/// The largest distance in a message, to which the tail of the flush was added.
fn largest_distance(bytes: &[u8]) -> usize {
    let mut reader = Reader { bytes, bit: 0 };
    let mut largest = 0;
    while reader.bit < 8 * bytes.len() {
        assert_eq!(reader.bits(1), 0, "a final block");
        let (literals, distances) = match reader.bits(2) {
            0 => {
                reader.bit = reader.bit.next_multiple_of(8);
                let length = reader.bits(16);
                reader.bit += 16 + 8 * length;
                continue;
            }
            1 => {
                let length = |symbol| match symbol {
                    0..144 => 8,
                    144..256 => 9,
                    256..280 => 7,
                    _ => 8,
                };
                let literals: Vec<u32> = (0..288).map(length).collect();
                (Codes::new(&literals), Codes::new(&[5; 30]))
            }
            _ => reader.dynamic_codes(),
        };
        loop {
            let symbol = reader.symbol(&literals);
            match symbol {
                0..256 => continue,
                256 => break,
                257..265 | 285 => {}
                _ => _ = reader.bits((symbol as u32 - 261) / 4),
            }
            let symbol = reader.symbol(&distances);
            let distance = match symbol {
                0..4 => symbol + 1,
                _ => {
                    let extra = symbol as u32 / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + reader.bits(extra)
                }
            };
            largest = largest.max(distance);
        }
    }
    largest
}

#[test]
fn messages_refer_back_no_further_than_was_agreed() {
    for level in 1..=9 {
        for bits in 8..=15 {
            let mut server = Encoder::new(Role::Server, Some(&deflate(true, bits, level)));
            let (mut largest, mut seen) = (0, 0);
            // The same text again and again, at distances around the size of the window.
            for length in [(1 << bits) - 20, 1 << bits, (1 << bits) + 20] {
                let unit = text(7, length);
                let message = unit.repeat(3);
                let mut payload = compressed(&mut server, message.as_bytes()).unwrap();
                payload.extend(FLUSH_TAIL);
                largest = largest.max(largest_distance(&payload));
                seen += message.len();
            }
            assert!(largest <= 1 << bits, "{largest}: level {level}, {bits} bits");
            assert!(seen > 1 << bits && largest > 100, "{largest}: level {level}, {bits} bits");
        }
    }
}
