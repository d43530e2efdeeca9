//! Functions of the host that graphs apply by name: tables, simulators, routines of C libraries.
//!
//! A program [registers](register) a function under a name, and a traced function applies it with
//! [`external`](fn@crate::external). The graph and its files hold the name and the types of the results; whoever
//! compiles or interprets the graph must have registered the name before. A compiled program keeps the functions that
//! were registered when it was compiled; the interpreter looks them up in each run.
//!
//! A function gets views of its operands, in row-major order, and of its results, which hold zeros and which it writes. It
//! may run on several threads at a time, and must be pure: equal calls may be made once for all, and a call whose
//! results are not used may be left out. It has no derivative by itself: [`custom_vjp`](crate::custom_vjp) or
//! [`custom_jvp`](crate::custom_jvp) around it gives it one.
//!
//! What it returns as an error, or panics with, ends the run in an [`ExternalError`], also of native code. NaN that it
//! writes is passed on.
//!
//! ```
//! use retrograd::value::{DType, Type};
//! use retrograd::{Error, Var, custom_vjp, external, grad, jit};
//!
//! // Bessel's function J₀ of the C library, and J₁, its derivative's negative.
//! unsafe extern "C" {
//!     safe fn j0(x: f64) -> f64;
//!     safe fn j1(x: f64) -> f64;
//! }
//! for (name, f) in [("j0", j0 as extern "C" fn(f64) -> f64), ("j1", j1)] {
//!     external::register(name, move |operands, results| {
//!         let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
//!         let y = results[0].as_slice_mut::<f64>().ok_or("gives f64")?;
//!         y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
//!         Ok::<(), &str>(())
//!     })?;
//! }
//! let of_c = |name: &'static str| move |x: Var| external(name, &[x], [x.ty()])[0];
//! let bessel = custom_vjp(of_c("j0"), move |(x,): (Var,), _, ct: Var| (-ct * of_c("j1")(x),));
//! let slope: f64 = jit(grad(bessel)).call(1.0)?;
//! assert_eq!(slope, -j1(1.0));
//!
//! // Without a rule there is no derivative.
//! let error = jit(grad(of_c("j0"))).call::<f64>(1.0).unwrap_err();
//! assert!(error.to_string().contains("custom_vjp"));
//! # Ok::<(), Error>(())
//! ```

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use smallvec::SmallVec;

use crate::error::{ExternalError, SourceLine};
use crate::value::{Array, ArrayMut, ArrayRef, Type};

/// The name under which every process finds a function that copies its operands to results of the same types. Examples,
/// files and tests of the operation use it.
pub const IDENTITY: &str = "retrograd.identity";

/// Registers a function under a name.
///
/// Operands and results have the types of the application; the function should check those that it needs, as
/// [`ArrayRef::as_slice`] does.
///
/// ```
/// use retrograd::external;
/// use retrograd::value::{ArrayMut, ArrayRef};
///
/// fn square(operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), &'static str> {
///     let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
///     let y = results[0].as_slice_mut::<f64>().ok_or("gives f64")?;
///     y.iter_mut().zip(x).for_each(|(y, x)| *y = x * x);
///     Ok(())
/// }
/// external::register("square of the host", square)?;
/// let error = external::register("square of the host", square).unwrap_err();
/// assert!(error.to_string().contains("is taken"));
/// # Ok::<(), retrograd::error::ExternalError>(())
/// ```
///
/// # Errors
/// If the name is taken; [`replace`] takes it over.
pub fn register<E>(
    name: &str,
    f: impl Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]) -> Result<(), E> + Send + Sync + 'static,
) -> Result<(), ExternalError>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    insert(name, Host::new(name, None, f))
}

/// Registers a function for operands and results of certain types alone. Another application is an error when it is
/// traced, compiled or run.
///
/// ```
/// use retrograd::value::{DType, Type};
/// use retrograd::{Var, external, trace};
///
/// let number = [Type::scalar(DType::F64)];
/// external::register_typed("half", &number, &number, |_, results| {
///     results[0].as_slice_mut::<f64>().map(|y| y[0] = 0.5).ok_or("gives f64")
/// })?;
/// let f = |x: Var| external("half", &[x], [x.ty()])[0];
/// assert!(trace(f, (DType::F64,)).is_ok());
/// let error = trace(f, (DType::F32,)).unwrap_err();
/// assert!(error.to_string().contains("is registered for f64[] -> f64[], but is applied to f32[] -> f32[]"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// As [`register`].
pub fn register_typed<E>(
    name: &str,
    operands: &[Type],
    results: &[Type],
    f: impl Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]) -> Result<(), E> + Send + Sync + 'static,
) -> Result<(), ExternalError>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    insert(name, Host::new(name, Some([operands.to_vec(), results.to_vec()]), f))
}

/// Registers a function under a name, also if it is taken; whether it was. Programs compiled before keep the former one.
///
/// ```
/// use retrograd::external;
///
/// assert!(!external::replace("resistance", |_, _| Err("not measured yet")));
/// assert!(external::replace("resistance", |_, _| Err("lost")));
/// assert!(external::names().contains(&"resistance".to_string()));
/// assert!(external::remove("resistance") && !external::remove("resistance"));
/// ```
pub fn replace<E>(
    name: &str,
    f: impl Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]) -> Result<(), E> + Send + Sync + 'static,
) -> bool
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let host = Arc::new(Host::new(name, None, f));
    write(|registered| registered.insert(name.to_string(), host).is_some())
}

/// Frees a name; whether it was taken. Programs compiled before keep the function. See [`replace`] for an example.
pub fn remove(name: &str) -> bool {
    write(|registered| registered.remove(name).is_some())
}

/// The registered names, in order. See [`replace`] for an example.
pub fn names() -> Vec<String> {
    read(|registered| registered.keys().cloned().collect())
}

/// A registered function.
pub(crate) struct Host {
    name: String,
    /// The types of operands and results, if they are fixed.
    types: Option<[Vec<Type>; 2]>,
    f: Box<Function>,
}

type Outcome = Result<(), Box<dyn StdError + Send + Sync>>;
type Function = dyn Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]) -> Outcome + Send + Sync;

/// The function of that name for operands and results of these types, which is applied at that line.
pub(crate) fn find(
    name: &str,
    operands: &[Type],
    results: &[Type],
    at: Option<&SourceLine>,
) -> Result<Arc<Host>, ExternalError> {
    let host = read(|registered| registered.get(name).cloned());
    let host = host.ok_or_else(|| ExternalError::Unknown { name: name.to_string(), at: at.cloned() })?;
    host.check(operands, results, at)?;
    Ok(host)
}

impl Host {
    fn new<E>(
        name: &str,
        types: Option<[Vec<Type>; 2]>,
        f: impl Fn(&[ArrayRef<'_>], &mut [ArrayMut<'_>]) -> Result<(), E> + Send + Sync + 'static,
    ) -> Host
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let f = move |operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]| f(operands, results).map_err(Into::into);
        Host { name: name.to_string(), types, f: Box::new(f) }
    }

    /// Requires that the function be for operands and results of these types.
    pub fn check(&self, operands: &[Type], results: &[Type], at: Option<&SourceLine>) -> Result<(), ExternalError> {
        match &self.types {
            Some([inputs, outputs]) if inputs != operands || outputs != results => Err(ExternalError::Signature {
                name: self.name.clone(),
                expected: signature(inputs, outputs),
                got: signature(operands, results),
                at: at.cloned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Calls the function. Operands that are not in row-major order are copied; results are zeroed before.
    ///
    /// # Errors
    /// If the function returns an error or panics.
    pub fn call(
        &self,
        operands: &[ArrayRef<'_>],
        results: &mut [ArrayMut<'_>],
        at: Option<&SourceLine>,
    ) -> Result<(), ExternalError> {
        let copies: SmallVec<[Option<Array>; 3]> =
            operands.iter().map(|x| (!x.is_row_major()).then(|| x.to_array().into_row_major())).collect();
        let operands: SmallVec<[ArrayRef<'_>; 3]> = operands
            .iter()
            .zip(&copies)
            .map(|(x, copy)| copy.as_ref().map_or_else(|| x.reborrow(), Array::view))
            .collect();
        results.iter_mut().for_each(clear);
        // Only a failure takes memory.
        let place = || (self.name.clone(), at.cloned());
        match panic::catch_unwind(AssertUnwindSafe(|| (self.f)(&operands, results))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let (name, at) = place();
                Err(ExternalError::Failed { name, message: error.to_string(), at })
            }
            Err(payload) => {
                let (name, at) = place();
                Err(ExternalError::Panicked { name, message: message_of(payload), at })
            }
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).field("types", &self.types).finish_non_exhaustive()
    }
}

fn clear(result: &mut ArrayMut<'_>) {
    match result {
        ArrayMut::F64(y) => y.fill(0.0),
        ArrayMut::F32(y) => y.fill(0.0),
        ArrayMut::I64(y) => y.fill(0),
        ArrayMut::Bool(y) => y.fill(false),
    }
}

/// What a panic said. A payload whose own drop panics is kept from that.
fn message_of(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => message.to_string(),
        (None, Some(message)) => message.clone(),
        (None, None) => "(not a text)".to_string(),
    };
    std::mem::forget(payload);
    message
}

fn signature(operands: &[Type], results: &[Type]) -> String {
    let list = |types: &[Type]| match types {
        [] => "nothing".to_string(),
        _ => types.iter().map(Type::to_string).collect::<Vec<_>>().join(", "),
    };
    format!("{} -> {}", list(operands), list(results))
}

type Registered = BTreeMap<String, Arc<Host>>;

static REGISTERED: LazyLock<RwLock<Registered>> = LazyLock::new(|| {
    let identity = Host::new(IDENTITY, None, copy);
    RwLock::new(BTreeMap::from([(IDENTITY.to_string(), Arc::new(identity))]))
});

fn insert(name: &str, host: Host) -> Result<(), ExternalError> {
    write(|registered| {
        if registered.contains_key(name) {
            return Err(ExternalError::Taken { name: name.to_string() });
        }
        registered.insert(name.to_string(), Arc::new(host));
        Ok(())
    })
}

/// No function of the host runs while the lock is held, so that nothing in its keeping is half done.
fn read<T>(look: impl FnOnce(&Registered) -> T) -> T {
    look(&REGISTERED.read().unwrap_or_else(PoisonError::into_inner))
}

fn write<T>(change: impl FnOnce(&mut Registered) -> T) -> T {
    change(&mut REGISTERED.write().unwrap_or_else(PoisonError::into_inner))
}

fn copy(operands: &[ArrayRef<'_>], results: &mut [ArrayMut<'_>]) -> Result<(), String> {
    let types = |n: usize, list: &dyn Fn(usize) -> Type| (0..n).map(list).collect::<Vec<Type>>();
    let taken = types(operands.len(), &|k| operands[k].ty());
    let given = types(results.len(), &|k| results[k].ty());
    if taken != given {
        return Err(format!("gives what it takes, but is applied to {}", signature(&taken, &given)));
    }
    for (x, y) in operands.iter().zip(results) {
        match (x, y) {
            (ArrayRef::F64(x), ArrayMut::F64(y)) => y.assign(x),
            (ArrayRef::F32(x), ArrayMut::F32(y)) => y.assign(x),
            (ArrayRef::I64(x), ArrayMut::I64(y)) => y.assign(x),
            (ArrayRef::Bool(x), ArrayMut::Bool(y)) => y.assign(x),
            (x, _) => return Err(format!("gives what it takes, but not for {}", x.ty())),
        }
    }
    Ok(())
}
