//! Seeded chance: every choice and every invented identifier comes from here.

use std::fmt::Write as _;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// One stream of chance; equal seeds and stream numbers give equal streams.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Returns the stream with number `stream` of a corpus with seed `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed.wrapping_mul(ODD) ^ stream.wrapping_add(1).wrapping_mul(ODD.rotate_left(23));
        Self(ChaCha8Rng::seed_from_u64(mixed))
    }

    /// Gives the chance itself to what needs it.
    pub(crate) fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Returns a number from 0 to `n` - 1. Needs: `n` is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.random()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns one of `items`, each as likely as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(T, usize)]) -> T {
        let total = items.iter().map(|(_, weight)| weight).sum();
        let mut left = self.below(total);
        for &(item, weight) in items {
            if left < weight {
                return item;
            }
            left -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.number());
        }
        text.truncate(digits);
        text
    }

    pub(crate) fn digits(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b'0' + self.0.random_range(0..10u8))).collect()
    }

    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(*self.pick(ALPHANUMERIC))).collect()
    }

    /// Returns an access key, principal or profile id: `prefix` and upper-case letters or digits, 21 characters.
    pub(crate) fn principal_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.alphanumeric(17).to_uppercase())
    }

    /// Returns a resource id of today's form, such as `vol-0123456789abcdef0`.
    pub(crate) fn resource_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{:016x}", self.number())
    }

    /// Returns a random (version 4) UUID.
    pub(crate) fn uuid(&mut self) -> String {
        self.uuid_of_version(4)
    }

    /// Returns a UUID in the form of a name-based (version 3) one, as events that a service forwarded carry.
    pub(crate) fn name_uuid(&mut self) -> String {
        self.uuid_of_version(3)
    }

    fn uuid_of_version(&mut self, version: u8) -> String {
        let high = self.number();
        let low = (self.number() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{version}{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Returns a public-looking address of a documentation range.
    pub(crate) fn address(&mut self) -> String {
        let net = *self.pick(&["192.0.2", "198.51.100", "203.0.113"]);
        format!("{net}.{}", self.between(1, 254))
    }
}
