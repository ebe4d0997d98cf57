//! What a few noisy figures say.

/// How often they are drawn again.
const DRAWS: usize = 10_000;

/// A median, and where it lies with a probability of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Median {
    /// Of these; none if there are none. The interval is found by drawing as many from them, with
    /// repetition, again and again (the percentile bootstrap).
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let value = median(&mut figures.to_vec())?;
        // Always the same draws, so that a table does not change when it is made again.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            figures[(random >> 33) as usize % figures.len()]
        };
        let drawn = |_| median(&mut (0..figures.len()).map(|_| draw()).collect::<Vec<_>>());
        let mut medians: Vec<f64> = (0..DRAWS).filter_map(drawn).collect();
        medians.sort_unstable_by(f64::total_cmp);
        Some(Self { value, low: medians[DRAWS / 40], high: medians[DRAWS - DRAWS / 40 - 1] })
    }
}

fn median(figures: &mut [f64]) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(figures[middle]),
        _ => Some(f64::midpoint(figures[middle - 1], figures[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_the_median_and_leaves_out_what_is_far() {
        let figures = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 90.0];
        let Median { value, low, high } = Median::of(&figures).unwrap();
        assert_eq!(value, 1.5);
        assert!((1.0..1.5).contains(&low) && (1.5..2.0).contains(&high), "{low} {high}");
        assert_eq!(Median::of(&[]), None);
        assert_eq!(Median::of(&[2.0]), Some(Median { value: 2.0, low: 2.0, high: 2.0 }));
    }
}
