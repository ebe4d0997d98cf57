//! The ways in which the same bytes can arrive.

/// Where `length` bytes are cut, by `choice`: between all of them, after each so many, or in
/// three places.
pub fn cuts(choice: [u8; 3], length: usize) -> Vec<usize> {
    let [first, second, third] = choice.map(usize::from);
    let mut cuts: Vec<usize> = match first {
        255 => (1..length.min(100)).collect(),
        250..=254 => (1..length).step_by(first - 248).take(50).collect(),
        // The third is counted from the end, where heads and bodies end.
        _ => vec![first, first + second, length.saturating_sub(third)],
    };
    cuts.retain(|&cut| cut > 0 && cut < length);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// `bytes` in pieces, cut at `cuts`.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        pieces.push(&bytes[start..cut]);
        start = cut;
    }
    pieces
}
