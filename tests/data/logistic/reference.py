"""The minimum of a regularized logistic loss on examples/data/breast_cancer.csv, for cli/tests/command/minimize.rs.

    python3 reference.py
"""

import os

import numpy as np

data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../examples/data/breast_cancer.csv")
table = np.loadtxt(data, delimiter=",", skiprows=1)
x, t = table[:, :30], table[:, 30]
x = (x - x.mean(axis=0)) / x.std(axis=0)

# mean(softplus(z) - t z) + 0.005 |w|² with z = x w + b, by Newton's method.
x1 = np.hstack([x, np.ones((len(x), 1))])
ridge = 0.01 * np.diag([1.0] * 30 + [0.0])
w = np.zeros(31)
for step in range(20):
    p = 1 / (1 + np.exp(-x1 @ w))
    gradient = x1.T @ (p - t) / len(t) + ridge @ w
    hessian = (x1.T * (p * (1 - p))) @ x1 / len(t) + ridge
    w -= np.linalg.solve(hessian, gradient)
z = x1 @ w
value = np.mean(np.logaddexp(0, z) - t * z) + 0.5 * w @ ridge @ w
print(f"value {value:.15f}, |gradient| {np.linalg.norm(gradient):.1e}")
print("w[0], w[20], w[29], b:", ", ".join(f"{w[k]:.12f}" for k in [0, 20, 29, 30]))
