"""Writes quantiles.csv: quantiles by each of NumPy's methods, of samples of several lengths."""

import numpy as np

METHODS = """inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull linear
median_unbiased normal_unbiased lower higher midpoint nearest""".split()

random = np.random.default_rng(1)
samples = [[2.5], [3.0, -1.0], [1.0, 1.0, 4.0, 1.0]] + [list(random.integers(-90, 90, n) / 8) for n in (5, 8, 11)]
with open("quantiles.csv", "w") as file:
    file.write("method,q,quantile,sample\n")
    for method in METHODS:
        for x in samples:
            for q in (0.0, 0.1, 0.25, 0.4, 0.5, 0.625, 0.9, 1.0):
                y = float(np.quantile(np.array(x), q, method=method))
                file.write(",".join([method, repr(q), repr(y)] + [repr(float(e)) for e in x]) + "\n")
