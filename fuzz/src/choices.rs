use std::cell::{Cell, RefCell};

/// The decisions of a generator in order, drawn from a seed or read from bytes. Decisions are recorded as bytes, so a
/// failing program can be generated again, and shrunk by removing or decreasing bytes. After the last byte every
/// decision is 0, for which generators choose the simplest alternative.
///
/// ```
/// use retrograd_fuzz::Choices;
///
/// let first = Choices::from_seed(7);
/// let drawn: Vec<usize> = (0..5).map(|_| first.below(1000)).collect();
/// let again = Choices::from_bytes(first.bytes());
/// assert_eq!((0..5).map(|_| again.below(1000)).collect::<Vec<_>>(), drawn);
/// assert_eq!(again.below(1000), 0);
/// ```
pub struct Choices {
    bytes: RefCell<Vec<u8>>,
    at: Cell<usize>,
    random: Option<Random>,
}

impl Choices {
    /// An unlimited sequence of decisions from a seed.
    pub fn from_seed(seed: u64) -> Choices {
        Choices { bytes: RefCell::default(), at: Cell::new(0), random: Some(Random::new(seed)) }
    }

    /// Decisions read from bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Choices {
        Choices { bytes: RefCell::new(bytes), at: Cell::new(0), random: None }
    }

    /// The bytes of the decisions made so far.
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = self.bytes.borrow();
        bytes[..self.at.get().min(bytes.len())].to_vec()
    }

    fn byte(&self) -> usize {
        let at = self.at.replace(self.at.get() + 1);
        let mut bytes = self.bytes.borrow_mut();
        if let (Some(random), true) = (&self.random, at == bytes.len()) {
            bytes.push(random.bits() as u8);
        }
        bytes.get(at).copied().map_or(0, usize::from)
    }

    /// A number below `n`, for `n` up to 65,536; 0 if `n` is 0 or 1.
    pub fn below(&self, n: usize) -> usize {
        match n {
            0 | 1 => 0,
            // For small `n`, all numbers are nearly equally likely.
            2..=32 => self.byte() % n,
            _ => (self.byte() << 8 | self.byte()) % n,
        }
    }

    /// True with probability 1/n; false if there are no more decisions.
    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of the elements.
    pub fn of<'a, T>(&self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A position in the list, with probability proportional to its weight.
    pub fn weighted(&self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (place, &weight) in weights.iter().enumerate() {
            if left < weight {
                return place;
            }
            left -= weight;
        }
        0
    }

    /// A generator of numbers, seeded by two bytes of decisions.
    pub fn numbers(&self) -> Random {
        Random::new(self.below(1 << 16) as u64)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same on every machine.
pub struct Random(Cell<u64>);

impl Random {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// Uniform in `[low, high)`.
    pub fn range(&self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}
