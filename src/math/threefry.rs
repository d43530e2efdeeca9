//! The counter-based generator Threefry 2×32 with 20 rounds: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", SC 2011. Its words are functions of a key and a counter alone, so that elements are computed in any
//! order and number at a time, to the same bits.

/// Two words of 32 bits.
pub(crate) type Key = [u32; 2];

/// What a key is mixed with to its third word.
const PARITY: u32 = 0x1BD1_1BDA;

/// By how many bits the rounds rotate, four rounds at a time.
const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

/// As many counters are hashed side by side as hide the latency of a round, in registers of any width.
const BLOCK: usize = 32;

/// Writes to each element what is made of the words, high and low, of its counter: `start + i` modulo 2⁶⁴, whose high and
/// low 32 bits are the two words that are hashed.
pub(crate) fn fill<T: Copy>(key: Key, start: u64, out: &mut [T], of: impl Fn(u32, u32) -> T) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just been checked to have the features of the function.
            return unsafe { fill_avx512(key, start, out, of) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just been checked to have the features of the function.
            return unsafe { fill_avx2(key, start, out, of) };
        }
    }
    fill_body(key, start, out, of);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn fill_avx512<T: Copy>(key: Key, start: u64, out: &mut [T], of: impl Fn(u32, u32) -> T) {
    fill_body(key, start, out, of);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fill_avx2<T: Copy>(key: Key, start: u64, out: &mut [T], of: impl Fn(u32, u32) -> T) {
    fill_body(key, start, out, of);
}

/// The same, compiled for the processor of the caller.
#[inline(always)]
pub(super) fn fill_body<T: Copy>(key: Key, start: u64, out: &mut [T], of: impl Fn(u32, u32) -> T) {
    let mut at = start;
    let mut blocks = out.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        let [hi, lo] = hash::<BLOCK>(key, counters(at));
        for (element, (&hi, &lo)) in block.iter_mut().zip(hi.iter().zip(&lo)) {
            *element = of(hi, lo);
        }
        at = at.wrapping_add(BLOCK as u64);
    }
    for element in blocks.into_remainder() {
        let [[hi], [lo]] = hash(key, counters(at));
        *element = of(hi, lo);
        at = at.wrapping_add(1);
    }
}

/// The words of consecutive counters.
#[inline(always)]
fn counters<const N: usize>(start: u64) -> [[u32; N]; 2] {
    let (hi, lo) = ((start >> 32) as u32, start as u32);
    let low: [u32; N] = std::array::from_fn(|i| lo.wrapping_add(i as u32));
    // The low word has passed its end where it is below the first one.
    let high = std::array::from_fn(|i| hi.wrapping_add(u32::from(low[i] < lo)));
    [high, low]
}

/// The words of counters, side by side.
#[inline(always)]
fn hash<const N: usize>(key: Key, [mut x, mut y]: [[u32; N]; 2]) -> [[u32; N]; 2] {
    let keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let inject = |x: &mut [u32; N], key: u32| x.iter_mut().for_each(|x| *x = x.wrapping_add(key));
    inject(&mut x, keys[0]);
    inject(&mut y, keys[1]);
    for step in 0..5 {
        for rotation in ROTATIONS[step % 2] {
            for i in 0..N {
                x[i] = x[i].wrapping_add(y[i]);
                y[i] = x[i] ^ y[i].rotate_left(rotation);
            }
        }
        inject(&mut x, keys[(step + 1) % 3]);
        inject(&mut y, keys[(step + 2) % 3].wrapping_add(step as u32 + 1));
    }
    [x, y]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' implementation, Random123: `kat_vectors`, `threefry2x32 20`.
    #[test]
    fn hashes_are_those_of_the_authors() {
        let answers = [
            ([0, 0], [0, 0], [0x6b20_0159, 0x99ba_4efe]),
            ([u32::MAX; 2], [u32::MAX; 2], [0x1cb9_96fc, 0xbb00_2be7]),
            ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xc492_3a9c, 0x483d_f7a0]),
        ];
        for (key, [hi, lo], expected) in answers {
            assert_eq!(hash(key, [[hi], [lo]]), expected.map(|word: u32| [word]));
        }
    }

    /// Every element is that of its counter, at any length, for every kind of processor, also where the low word ends.
    #[test]
    fn elements_depend_on_their_counters_alone() {
        let key = [0x1319_8a2e, 0x0370_7344];
        let of = |hi: u32, lo: u32| u64::from(hi) << 32 | u64::from(lo);
        for start in [0, 5, u64::from(u32::MAX) - 20, u64::MAX - 70] {
            for n in [0, 1, 31, 32, 33, 100] {
                let one_by_one: Vec<u64> = (0..n as u64)
                    .map(|i| {
                        let counter = start.wrapping_add(i);
                        let [[hi], [lo]] = hash(key, [[(counter >> 32) as u32], [counter as u32]]);
                        of(hi, lo)
                    })
                    .collect();
                let mut together = vec![0; n];
                fill(key, start, &mut together, of);
                assert_eq!(together, one_by_one, "{n} from {start}");
                together.fill(0);
                fill_body(key, start, &mut together, of);
                assert_eq!(together, one_by_one, "{n} from {start}");
            }
        }
    }
}
