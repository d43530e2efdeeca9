"""Writes the reference files of this folder with NumPy, as tests/formats.rs reads and writes them.

    python3 reference.py
"""

import os

import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))

numbers = [0.0, -0.0, 0.1, -2.5, np.inf, -np.inf, np.nan, 5e-324]

# What retrograd must write byte for byte: its own dtypes, in the order of C.
np.save("f64.npy", np.array(numbers).reshape(2, 4))
np.save("f32.npy", np.array([0.5, -1.25, 3e38], "<f4"))
np.save("i64.npy", np.array([[[1, -2, 2**62]]], "<i8"))
np.save("bool.npy", np.array([[True], [False]]))
np.save("scalar.npy", np.array(1.5))
np.save("empty.npy", np.zeros((0, 3)))
# A header of more than 128 bytes.
np.save("many_axes.npy", np.ones((1,) * 24))

# What it must read: other dtypes, byte orders, orders of elements and versions.
for dtype in ["<f2", ">f2", ">f4", ">f8", "|i1", "<i2", ">i2", "<i4", ">i4", ">i8", "|u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"]:
    name = {"<": "le", ">": "be", "|": "one"}[dtype[0]] + "_" + dtype[1:]
    low = 0 if dtype[1] == "u" else -3
    np.save(f"read_{name}.npy", np.arange(low, low + 6).astype(dtype).reshape(2, 3))
np.save("read_fortran.npy", np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)))
for version in [(2, 0), (3, 0)]:
    with open(f"read_version_{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(3.0), version)
np.savez("stored.npz", **{"w": np.arange(3.0), "b.0": np.array(True)})
np.savez_compressed("deflated.npz", **{"w": np.arange(1000.0), "b.0": np.array(True)})

# Complex numbers: what it must write byte for byte, and what it must read.
signed = np.array([complex(0.0, -0.0), complex(-2.5, 0.1), complex(np.inf, np.nan), complex(5e-324, -np.inf)])
np.save("complex128.npy", signed.reshape(2, 2))
np.save("complex64.npy", np.array([1 + 2j, 0.5 - 3e38j, 0], "<c8"))
np.save("complex_scalar.npy", np.array(1 - 2j))
np.save("complex_empty.npy", np.zeros((0, 3), complex))
grid = np.arange(6.0).reshape(2, 3) + 1j * np.arange(6.0, 12.0).reshape(2, 3)
np.save("read_be_c16.npy", grid.astype(">c16"))
np.save("read_be_c8.npy", grid.astype(">c8"))
np.save("read_fortran_c8.npy", np.asfortranarray(grid.astype("<c8")))
np.savez("complex.npz", **{"w": np.arange(3.0), "z": grid})

# What it must refuse.
np.save("refused_complex.npy", np.array([1 + 2j]))
np.save("refused_text.npy", np.array(["text"]))
np.save("refused_fields.npy", np.array([(1.0, 2)], dtype=[("x", "<f8"), ("k", "<i4")]))
np.save("refused_object.npy", np.array([None]), allow_pickle=True)
