//! The naming scheme of reductions: each has a variant over all elements, one over axes that vanish, and one over axes that
//! stay with extent 1. They give the same numbers and the same errors.

use ndarray::{Array1, Array3, ArrayD};
use retrograd::{Var, grad, jit};

/// A reduction in its variants.
struct Scheme {
    name: &'static str,
    all: fn(Var) -> Var,
    over: fn(Var, &[usize]) -> Var,
    keeping: fn(Var, &[usize]) -> Var,
}

macro_rules! scheme {
    ($all:ident, $over:ident, $keeping:ident) => {
        Scheme {
            name: stringify!($over),
            all: Var::$all,
            over: |x, axes| x.$over(axes),
            keeping: |x, axes| x.$keeping(axes),
        }
    };
}

const OF_FLOATS: [Scheme; 10] = [
    scheme!(sum, sum_axes, sum_keep_axes),
    scheme!(prod, prod_axes, prod_keep_axes),
    scheme!(max_all, max_axes, max_keep_axes),
    scheme!(min_all, min_axes, min_keep_axes),
    scheme!(mean, mean_axes, mean_keep_axes),
    scheme!(var, var_axes, var_keep_axes),
    scheme!(std, std_axes, std_keep_axes),
    scheme!(norm, norm_axes, norm_keep_axes),
    scheme!(norm_squared, norm_squared_axes, norm_squared_keep_axes),
    scheme!(logsumexp_all, logsumexp_axes, logsumexp_keep_axes),
];

const OF_BOOLS: [Scheme; 2] = [scheme!(all, all_axes, all_keep_axes), scheme!(any, any_axes, any_keep_axes)];

const SUBSETS: [&[usize]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];

/// Numbers without ties, of extents that differ.
fn numbers() -> Array3<f64> {
    Array3::from_shape_fn((2, 3, 4), |(i, j, k)| f64::sin((12 * i + 4 * j + k) as f64) - 0.25)
}

fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent }).collect()
}

#[test]
fn axes_that_stay_have_extent_one_and_the_same_numbers() {
    for scheme in OF_FLOATS {
        for axes in SUBSETS {
            let gone: ArrayD<f64> = jit(|x: Var| (scheme.over)(x, axes)).call(numbers()).unwrap();
            let stay: ArrayD<f64> = jit(|x: Var| (scheme.keeping)(x, axes)).call(numbers()).unwrap();
            assert_eq!(stay.shape(), kept(&[2, 3, 4], axes), "{} {axes:?}", scheme.name);
            assert_eq!(
                stay.into_iter().collect::<Vec<f64>>(),
                gone.into_iter().collect::<Vec<f64>>(),
                "{}",
                scheme.name
            );
        }
        let all: f64 = jit(scheme.all).call(numbers()).unwrap();
        let over: f64 = jit(|x: Var| (scheme.over)(x, &[0, 1, 2])).call(numbers()).unwrap();
        assert_eq!(all, over, "{}", scheme.name);
    }
    for scheme in OF_BOOLS {
        for axes in SUBSETS {
            let gone: ArrayD<bool> = jit(|x: Var| (scheme.over)(x.less(0.5), axes)).call(numbers()).unwrap();
            let stay: ArrayD<bool> = jit(|x: Var| (scheme.keeping)(x.less(0.5), axes)).call(numbers()).unwrap();
            assert_eq!(stay.shape(), kept(&[2, 3, 4], axes), "{} {axes:?}", scheme.name);
            assert_eq!(stay.into_iter().collect::<Vec<bool>>(), gone.into_iter().collect::<Vec<bool>>());
        }
    }
}

#[test]
fn axes_that_stay_broadcast_against_the_operand_and_differentiate() {
    // The standard use: the gradient of a centered sum of squares is twice the centered elements.
    let centered = |x: Var| (x - x.mean_keep_axes(&[1])).norm_squared();
    let slope: Array3<f64> = jit(grad(centered)).call(numbers()).unwrap();
    let expected: Array3<f64> = jit(|x: Var| 2.0 * (x - x.mean_keep_axes(&[1]))).call(numbers()).unwrap();
    assert!((slope - expected).iter().all(|error| error.abs() < 1e-14));
    for scheme in OF_FLOATS {
        let gone: Array3<f64> = jit(grad(|x: Var| (scheme.over)(x, &[0, 2]).sum())).call(numbers()).unwrap();
        let stay: Array3<f64> = jit(grad(|x: Var| (scheme.keeping)(x, &[0, 2]).sum())).call(numbers()).unwrap();
        assert!((gone - stay).iter().all(|error| error.abs() < 1e-15), "{}", scheme.name);
    }
}

#[test]
fn axes_that_do_not_exist_are_the_same_error() {
    for axes in [&[3][..], &[1, 1]] {
        for scheme in OF_FLOATS {
            let gone = jit(|x: Var| (scheme.over)(x, axes)).call::<ArrayD<f64>>(numbers()).unwrap_err().to_string();
            let stay = jit(|x: Var| (scheme.keeping)(x, axes)).call::<ArrayD<f64>>(numbers()).unwrap_err().to_string();
            let told = |text: &str| text.contains("axes must") && text.contains("rank 3");
            assert!(told(&gone) && told(&stay), "{} {axes:?}: {gone}; {stay}", scheme.name);
        }
    }
}

#[test]
fn older_names_give_the_same() {
    let pairs: [(fn(Var) -> Var, fn(Var) -> Var); 3] = [
        (|x| x.reduce_max(&[0, 2]), |x| x.max_axes(&[0, 2])),
        (|x| x.reduce_min(&[0, 2]), |x| x.min_axes(&[0, 2])),
        (|x| x.logsumexp(&[0, 2]), |x| x.logsumexp_axes(&[0, 2])),
    ];
    let of_bools: [(fn(Var) -> Var, fn(Var) -> Var); 2] =
        [(|x| x.all_over(&[0, 2]), |x| x.all_axes(&[0, 2])), (|x| x.any_over(&[0, 2]), |x| x.any_axes(&[0, 2]))];
    for (old, new) in of_bools {
        let f = jit(move |x: Var| (old(x.less(0.5)), new(x.less(0.5))));
        let (old, new): (Array1<bool>, Array1<bool>) = f.call(numbers()).unwrap();
        assert_eq!(old, new);
    }
    for (old, new) in pairs {
        let (old, new): (Array1<f64>, Array1<f64>) = jit(move |x: Var| (old(x), new(x))).call(numbers()).unwrap();
        assert_eq!(old, new);
    }
}

#[test]
fn indices_of_extremes() {
    let x = numbers();
    let position = |better: fn(f64, f64) -> bool| {
        let elements: Vec<f64> = x.iter().copied().collect();
        (1..elements.len()).fold(0, |best, k| if better(elements[k], elements[best]) { k } else { best }) as i64
    };
    assert_eq!(jit(Var::argmax_all).call::<i64>(&x).unwrap(), position(|a, b| a > b));
    assert_eq!(jit(Var::argmin_all).call::<i64>(&x).unwrap(), position(|a, b| a < b));
    for axis in 0..3 {
        for (index, keeping) in [
            (Var::argmax as fn(Var, usize) -> Var, Var::argmax_keep_axis as fn(Var, usize) -> Var),
            (Var::argmin, Var::argmin_keep_axis),
        ] {
            let gone: ArrayD<i64> = jit(|x: Var| index(x, axis)).call(&x).unwrap();
            let stay: ArrayD<i64> = jit(|x: Var| keeping(x, axis)).call(&x).unwrap();
            assert_eq!(stay.shape(), kept(&[2, 3, 4], &[axis]));
            assert_eq!(stay.into_iter().collect::<Vec<i64>>(), gone.into_iter().collect::<Vec<i64>>());
        }
    }
    assert!(jit(|x: Var| Var::argmax_keep_axis(x, 3)).call::<ArrayD<i64>>(&x).is_err());
    let nothing = jit(Var::argmax_all).call::<i64>(Array1::<f64>::zeros(0)).unwrap_err().to_string();
    assert!(nothing.contains("must have elements"), "{nothing}");
}
