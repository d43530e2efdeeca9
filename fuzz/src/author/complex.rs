use retrograd::{Complex, Var};

use super::Author;

/// Complex numbers: formulas of arithmetic and functions, whose parts are used apart.
impl Author<'_> {
    /// A value of the same shape, by complex numbers that are made of it and of another one.
    pub(super) fn in_complex_numbers(&mut self) -> Var {
        let x = self.array();
        let shape = x.shape();
        let y = self.array().convert(x.dtype());
        let y = self.fit(self.view(y), &shape);
        let mut z = Complex::new(x, y);
        for _ in 0..1 + self.choices.below(3) {
            z = self.complex_step(z);
        }
        match self.choices.below(5) {
            0 => z.re,
            1 => z.im,
            2 => z.abs(),
            3 => z.arg(),
            _ => z.abs_squared(),
        }
    }

    fn complex_step(&mut self, z: Complex) -> Complex {
        match self.choices.below(22) {
            0 => z * z.conj(),
            1 => z + z.mul_i(),
            2 => z / (z + 2.0),
            3 => 1.0 / z,
            4 => z.square() - z,
            5 => z.exp(),
            6 => z.ln(),
            7 => z.sqrt(),
            8 => z.sin() * z.cos(),
            9 => z.tanh(),
            10 => z.sinh_cosh().1,
            11 => z.asin(),
            12 => z.acos(),
            13 => z.atanh(),
            14 => z.acosh(),
            15 => z.powi(3),
            16 => z.powf(0.5),
            17 => z.powc(z.conj() * 0.5),
            18 => z.sign(),
            19 => Complex::select(z.re.less(z.im), z, z.conj()),
            20 => z * Complex::cis(z.re),
            _ => z.re / z,
        }
    }
}
