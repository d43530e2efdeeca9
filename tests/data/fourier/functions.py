"""Writes functions.csv: results of NumPy and SciPy for the options of transforms, of arrays of shape (2, 5, 4).

Of large results only some elements are written. The arrays' elements, and those of vectors, are those of transforms.py, in row-major order.
"""

import numpy as np
import scipy.fft as sf
from scipy import signal as ss

from transforms import line

SHAPE = (2, 5, 4)
z = (line(40, 1) + 1j * line(40, 2)).reshape(SHAPE)
x = z.real
cases = {}

for norm in ["backward", "ortho", "forward"]:
    f = np.fft
    cases[f"fft {norm}"] = f.fft(z, norm=norm)
    cases[f"ifft {norm}"] = f.ifft(z, norm=norm)
    cases[f"rfft {norm}"] = f.rfft(x, norm=norm)
    cases[f"irfft {norm}"] = f.irfft(z, norm=norm)
    cases[f"fft2 {norm}"] = f.fft2(z, norm=norm)
    cases[f"ifft2 {norm}"] = f.ifft2(z, norm=norm)
    cases[f"rfft2 {norm}"] = f.rfft2(x, norm=norm)
    cases[f"irfft2 {norm}"] = f.irfft2(z, norm=norm)
    cases[f"fftn {norm}"] = f.fftn(z, norm=norm)
    cases[f"ifftn {norm}"] = f.ifftn(z, norm=norm)
    cases[f"rfftn {norm}"] = f.rfftn(x, norm=norm)
    cases[f"irfftn {norm}"] = f.irfftn(z, norm=norm)
    cases[f"hfft {norm}"] = f.hfft(z, norm=norm)
    cases[f"ihfft {norm}"] = f.ihfft(x, norm=norm)
    for kind in (1, 2, 3, 4):
        for n in (5, 4):
            for name in ["dct", "idct", "dst", "idst"]:
                axis = 1 if n == 5 else 2
                cases[f"{name} {kind} {n} {norm}"] = getattr(sf, name)(x, kind, axis=axis, norm=norm)

cases["fft axis 0"] = np.fft.fft(z, axis=0)
cases["fft axis 1 cut"] = np.fft.fft(z, 3, axis=1)
cases["ifft axis -2 padded"] = np.fft.ifft(z, 8, axis=-2)
cases["fft of real padded"] = np.fft.fft(x, 130)
cases["ifft of real padded"] = np.fft.ifft(x, 131)
cases["rfft axis 0 padded"] = np.fft.rfft(x, 4, axis=0)
cases["irfft axis 0 odd"] = np.fft.irfft(z, 3, axis=0)
cases["irfft odd"] = np.fft.irfft(z, 7)
cases["fft2 axes lengths"] = np.fft.fft2(z, (2, 6), axes=(2, 0))
cases["rfft2 axes lengths"] = np.fft.rfft2(x, (2, 6), axes=(2, 0))
cases["irfft2 axes lengths"] = np.fft.irfft2(z, (2, 3), axes=(1, 0))
cases["fftn lengths"] = sf.fftn(z, (4, 3))
cases["ifftn axes"] = np.fft.ifftn(z, axes=(0, 2))
cases["rfftn axes"] = np.fft.rfftn(x, axes=(1, 0))
cases["irfftn lengths"] = sf.irfftn(z, (4, 6))
cases["hfft odd"] = np.fft.hfft(z, 7)
cases["dct padded"] = sf.dct(x, 2, 9)
cases["dst cut"] = sf.dst(x, 3, 3)
cases["fftshift"] = np.fft.fftshift(z)
cases["fftshift axes"] = np.fft.fftshift(z, axes=(0, -1))
cases["ifftshift"] = np.fft.ifftshift(z)
cases["fftfreq 7"] = np.fft.fftfreq(7, 0.3)
cases["fftfreq 8"] = np.fft.fftfreq(8, 0.3)
cases["rfftfreq 7"] = np.fft.rfftfreq(7, 0.3)
cases["rfftfreq 8"] = np.fft.rfftfreq(8, 0.3)

u, v = line(23, 5), line(6, 6)
for mode in ["full", "same", "valid"]:
    cases[f"convolve {mode}"] = np.convolve(u, v, mode)
    cases[f"convolve short {mode}"] = np.convolve(v, u, mode)
cases["hilbert even"] = ss.hilbert(line(24, 5))
cases["hilbert odd"] = ss.hilbert(line(23, 5))
for name in ["hann", "hamming", "blackman"]:
    for n in (1, 2, 7, 8):
        cases[f"{name} periodic {n}"] = ss.get_window(name, n, fftbins=True)
        cases[f"{name} symmetric {n}"] = ss.get_window(name, n, fftbins=False)
t = line(50, 7) + 0.3
w = ss.get_window("hann", 12)
# SciPy divides by the sum of the window.
cases["stft"] = ss.stft(t, window=w, nperseg=12, noverlap=8, boundary=None, padded=False)[2].T * w.sum()
cases["stft longer"] = ss.stft(t, window=w, nperseg=12, noverlap=7, nfft=16, boundary=None, padded=False)[2].T * w.sum()
cases["stft centered"] = ss.stft(t[:48], window=w, nperseg=12, noverlap=8, boundary="zeros", padded=False)[2].T * w.sum()
f, p = ss.periodogram(t, 2.5)
cases["periodogram frequencies"], cases["periodogram"] = f, p
cases["periodogram odd"] = ss.periodogram(t[:49], 2.5)[1]
f, p = ss.welch(t, 2.5, nperseg=12)
cases["welch frequencies"], cases["welch"] = f, p
cases["welch options"] = ss.welch(t, 2.5, window="hamming", nperseg=11, noverlap=3, detrend=False, scaling="spectrum")[1]

with open("functions.csv", "w") as out:
    print("case,shape,position,re,im", file=out)
    for name, y in cases.items():
        shape = "x".join(map(str, y.shape))
        for position in range(0, y.size, 1 if y.size <= 16 else 7):
            part = np.ravel(y)[position]
            im = f"{float(np.imag(part))!r}" if np.iscomplexobj(y) else ""
            print(f"{name},{shape},{position},{float(np.real(part))!r},{im}", file=out)
