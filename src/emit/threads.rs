use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What `work` makes of each item, in their order, on that many threads, of which this is one. Each has a state of its
/// own. Where the system has fewer threads, those that there are do it all.
pub fn in_parallel<T: Send, S, R: Send>(
    n_threads: usize,
    items: impl Iterator<Item = T> + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    if n_threads <= 1 {
        let mut state = state();
        return items.map(|item| work(&mut state, item)).collect();
    }
    let queue = Mutex::new(items.enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut state = state();
        std::iter::from_fn(next).map(|(place, item)| (place, work(&mut state, item))).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> =
            (1..n_threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|payload| panic::resume_unwind(payload)));
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The number of threads for so many items of that size altogether, if a thread is worth `share` of it.
pub fn useful_threads(n_items: usize, size: usize, share: usize) -> usize {
    let useful = n_items.min(size / share);
    if useful <= 1 {
        return 1;
    }
    useful.min(thread::available_parallelism().map_or(1, usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_on_any_number_of_threads() {
        for n_threads in [0, 1, 2, 7] {
            let numbers =
                in_parallel(n_threads, 0..100, || 0, |n_done, k| (k * k, std::mem::replace(n_done, *n_done + 1)));
            assert!(numbers.iter().enumerate().all(|(k, &(square, _))| square == k * k));
            let most = numbers.iter().map(|&(_, n_before)| n_before + 1).max();
            assert!(most <= Some(100) && (n_threads > 1 || most == Some(100)));
        }
        assert_eq!([useful_threads(8, 99, 100), useful_threads(1, 1_000, 100)], [1, 1]);
    }
}
