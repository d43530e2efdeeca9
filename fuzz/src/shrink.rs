//! Shrinks the decisions that cause a failure, as Hypothesis does, while a failure of the same kind remains.

/// The smallest decisions found in at most `tries` attempts for which `fails` still holds.
///
/// ```
/// use retrograd_fuzz::shrink::shrink;
///
/// let small = shrink(vec![9, 4, 7, 200, 3, 1], 1000, |bytes| bytes.iter().any(|&byte| byte >= 100));
/// assert_eq!(small, [100]);
/// ```
pub fn shrink(mut bytes: Vec<u8>, tries: usize, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut left = tries;
    let mut attempt = |candidate: &[u8]| {
        if left == 0 {
            return None;
        }
        left -= 1;
        Some(fails(candidate))
    };
    loop {
        let before = bytes.clone();
        for length in [64, 32, 16, 8, 4, 3, 2, 1] {
            let mut start = bytes.len().saturating_sub(length);
            loop {
                if start + length <= bytes.len() {
                    let mut candidate = bytes.clone();
                    candidate.drain(start..start + length);
                    match attempt(&candidate) {
                        None => return bytes,
                        Some(true) => bytes = candidate,
                        Some(false) => {}
                    }
                }
                if start == 0 {
                    break;
                }
                start -= length.min(start);
            }
        }
        for place in 0..bytes.len() {
            // Bisection toward 0, as far as it still fails.
            let mut passing = 0u8;
            let mut candidate = bytes.clone();
            candidate[place] = 0;
            match (bytes[place] > 0).then(|| attempt(&candidate)) {
                None | Some(Some(false)) => {}
                Some(None) => return bytes,
                Some(Some(true)) => {
                    bytes = candidate;
                    continue;
                }
            }
            while bytes[place] - passing > 1 {
                let middle = passing + (bytes[place] - passing) / 2;
                let mut candidate = bytes.clone();
                candidate[place] = middle;
                match attempt(&candidate) {
                    None => return bytes,
                    Some(true) => bytes = candidate,
                    Some(false) => passing = middle,
                }
            }
        }
        if bytes == before {
            return bytes;
        }
    }
}
