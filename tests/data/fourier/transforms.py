"""Writes transforms.csv: some bins of NumPy's transforms of lines of many lengths.

The elements of line number s are hashes of their indices, uniform in [-1, 1).
"""

import numpy as np

LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 30, 31, 32, 37, 49, 64, 96, 97, 100, 101, 121, 128, 169, 243,
           256, 360, 509, 512, 521, 625, 1000, 1009, 1021, 1024, 1030, 2039, 2048, 4096, 4099, 5040, 8191, 8192, 10007,
           16384, 20014, 65536, 65537, 100003, 131072]


def line(n, s):
    z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(s << 32)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(29)
    return (z >> np.uint64(11)) / 2.0**52 - 1.0


if __name__ == "__main__":
    with open("transforms.csv", "w") as out:
        print("function,n,k,re,im", file=out)
        for n in LENGTHS:
            z = line(n, 1) + 1j * line(n, 2)
            h = n // 2 + 1
            bins = line(h, 3) + 1j * line(h, 4)
            results = {
                "fft": np.fft.fft(z),
                "ifft": np.fft.ifft(z, norm="forward"),
                "rfft": np.fft.rfft(line(n, 1)),
                "irfft": np.fft.irfft(bins, n, norm="forward"),
            }
            for name, y in results.items():
                m = len(y)
                for k in sorted({0, 1 % m, m // 3, m // 2, m - 1}):
                    print(f"{name},{n},{k},{float(np.real(y[k]))!r},{float(np.imag(y[k]))!r}", file=out)
