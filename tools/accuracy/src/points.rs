//! The points: the same in every run, whatever the number of threads.

use crate::catalog::{Case, Pairs};
use crate::measure::Format;

/// Numbers at which something special may happen.
const SPECIAL: [f64; 30] = [
    0.0,
    -0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    5e-324,
    -5e-324,
    1e-45,
    -1e-45,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    f32::MAX as f64,
    f32::MIN as f64,
    f32::MIN_POSITIVE as f64,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    1.1,
    -1.1,
    1e22,
    -1e300,
    9007199254740991.0,
    -9007199254740993.0,
];

/// A block of arguments, of which functions of one variable take the first; those of `f32` are exact in it.
pub fn points(case: &Case, format: Format, block: u64, n: usize) -> Vec<[f64; 2]> {
    let seed = case.name().bytes().fold(block << 1 | u64::from(format == Format::F32), |seed, byte| {
        seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
    });
    let mut random = Random(seed);
    let special = SPECIAL.iter().flat_map(|&x| SPECIAL.map(|y| [x, y])).filter(|_| block == 0);
    let mut points: Vec<[f64; 2]> = special.collect();
    while points.len() < n {
        points.push(match case.pairs {
            None => [one(case, format, &mut random), 0.0],
            Some(pairs) => two(pairs, format, &mut random),
        });
    }
    points.truncate(n);
    if format == Format::F32 {
        points.iter_mut().flatten().for_each(|x| *x = f64::from(*x as f32));
    }
    points
}

/// A number, of one of several kinds.
fn one(case: &Case, format: Format, random: &mut Random) -> f64 {
    let x = match random.below(10) {
        // Every size alike, with all patterns of bits.
        0 | 1 => random.any(format),
        2 => random.subnormal(format),
        // Evenly, and evenly in size, where the function changes.
        3..=5 => {
            let (low, high) = *random.choose(case.intervals);
            low + (high - low) * random.unit()
        }
        6 => {
            let (low, high) = *random.choose(case.intervals);
            random.sign() * low.abs().max(high.abs()) * (-60.0 * random.unit()).exp2()
        }
        // Next to difficult points.
        7 if case.turns => random.near_quarter_turn(),
        7 | 8 => random.near_one_of(case.centers),
        _ => {
            let center = *random.choose(case.centers);
            neighbor(center, random.below(200) as i64 - 100, format)
        }
    };
    inside(case.domain, x)
}

/// A pair of numbers, of one of several kinds.
fn two(pairs: Pairs, format: Format, random: &mut Random) -> [f64; 2] {
    match pairs {
        Pairs::Pow => powers(format, random),
        Pairs::Plane => plane(format, random),
    }
}

/// Arguments of a power.
fn powers(format: Format, random: &mut Random) -> [f64; 2] {
    // The exponents of two at which results vanish and overflow.
    let (low, high) = match format {
        Format::F64 => (-1080.0, 1030.0),
        Format::F32 => (-155.0, 132.0),
    };
    let x = match random.below(8) {
        0..=2 => random.any(format).abs(),
        3 => random.subnormal(format).abs(),
        4 => random.near(1.0).abs(),
        5 => neighbor(1.0, random.below(200) as i64 - 100, format),
        6 => return [-random.any(format).abs(), (random.below(41) as f64) - 20.0],
        _ => 10.0 * random.unit() + 1e-3,
    };
    let scale = x.log2();
    let y = match random.below(6) {
        0 | 1 => (low + (high - low) * random.unit()) / scale,
        2 => random.near(low.max(-1074.0)) / scale,
        3 => random.near(high) / scale,
        4 => random.any(format),
        _ => (4.0 * (random.below(33) as f64 - 16.0)).round() / 4.0,
    };
    [x, if y.is_nan() { 1.0 } else { y }]
}

/// Points of the plane.
fn plane(format: Format, random: &mut Random) -> [f64; 2] {
    let x = random.any(format);
    match random.below(6) {
        0 => [x, random.any(format)],
        1 => [x, random.sign() * x * (80.0 * random.unit() - 40.0).exp2()],
        2 => [random.subnormal(format), random.subnormal(format)],
        3 => [random.near(1.0), random.near_one_of(&[0.41421356237309503, 1.0, 2.414213562373095, -1.0])],
        4 => [16.0 * random.unit() - 8.0, 16.0 * random.unit() - 8.0],
        _ => [x, neighbor(x, random.below(64) as i64 - 32, format) * random.sign()],
    }
}

/// A number of the domain: the one given, its negative or their reciprocals; else the one given.
fn inside((low, high): (f64, f64), x: f64) -> f64 {
    [x, -x, x.recip(), -x.recip()].into_iter().find(|x| (low..=high).contains(x)).unwrap_or(x)
}

/// The number so many places above one that is not zero.
fn neighbor(x: f64, n: i64, format: Format) -> f64 {
    match format {
        Format::F64 => f64::from_bits(x.to_bits().wrapping_add_signed(n)),
        Format::F32 => f64::from(f32::from_bits((x as f32).to_bits().wrapping_add_signed(n as i32))),
    }
}

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        (u128::from(self.bits()) * u128::from(n) >> 64) as u64
    }

    /// A number in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn sign(&mut self) -> f64 {
        if self.bits() & 1 == 0 { 1.0 } else { -1.0 }
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Any bits.
    fn any(&mut self, format: Format) -> f64 {
        match format {
            Format::F64 => f64::from_bits(self.bits()),
            Format::F32 => f64::from(f32::from_bits(self.bits() as u32)),
        }
    }

    /// A number below the normal ones.
    fn subnormal(&mut self, format: Format) -> f64 {
        let n = self.bits();
        let size = match format {
            Format::F64 => f64::from_bits(n >> 12 >> (n & 31)),
            Format::F32 => f64::from(f32::from_bits(n as u32 >> 9 >> (n >> 60))),
        };
        self.sign() * size
    }

    /// A number so near to another that some or most leading bits are the same.
    fn near(&mut self, x: f64) -> f64 {
        x * (1.0 + (2.0 * self.unit() - 1.0) * (-2.0 - 51.0 * self.unit()).exp2())
    }

    /// A number near one of others.
    fn near_one_of(&mut self, centers: &[f64]) -> f64 {
        let center = *self.choose(centers);
        self.near(center)
    }

    /// A number next to a multiple of π/2.
    fn near_quarter_turn(&mut self) -> f64 {
        let k = (52.0 * self.unit()).exp2().floor();
        let x = self.sign() * k * std::f64::consts::FRAC_PI_2;
        if self.bits() & 1 == 0 { x } else { self.near(x) }
    }
}
