//! Random numbers for jitter: fast, and not for secrets.

use std::time::Instant;

/// A xorshift generator, seeded by the system when it is made.
///
/// Each callback has its own. A generator made before a fork would give every worker the same
/// numbers, and their callbacks would all run at once.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_system() -> Self {
        // The generator would stay at 0.
        Self(seed() | 1)
    }

    /// Returns a number from 0 to 1, excluding 1.
    pub(crate) fn next_fraction(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

/// Returns a seed that differs between processes.
pub(crate) fn seed() -> u64 {
    system_seed().unwrap_or_else(clock_seed)
}

#[cfg(target_os = "linux")]
fn system_seed() -> Option<u64> {
    let mut seed = [0; 8];
    let length = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()).ok()?;
    (length == seed.len()).then(|| u64::from_ne_bytes(seed))
}

#[cfg(not(target_os = "linux"))]
fn system_seed() -> Option<u64> {
    use std::io::Read;

    let mut seed = [0; 8];
    std::fs::File::open("/dev/urandom").ok()?.read_exact(&mut seed).ok()?;
    Some(u64::from_ne_bytes(seed))
}

/// For systems without random numbers: differs between processes and over time.
fn clock_seed() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    (std::process::id(), Instant::now()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_spread_from_0_to_1() {
        let mut random = Random::from_system();
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            tenths[(random.next_fraction() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| (800..1200).contains(&count)), "{tenths:?}");
    }

    #[test]
    fn two_generators_differ() {
        let (mut one, mut other) = (Random::from_system(), Random::from_system());
        assert_ne!(one.next_fraction(), other.next_fraction());
    }
}
