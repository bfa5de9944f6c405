"""The problems of More, Garbow and Hillstrom (doi:10.1145/355934.355936) as sums of squares of residuals.

Residuals take complex numbers, so that a Jacobian by complex steps is exact to rounding.
"""

import numpy as np

A = np.array


def up_to(n, first=1):
    return np.arange(first, n + 1)


def rosenbrock(x):
    return np.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]])


def freudenstein_roth(x):
    a, b = x
    return A([a - 13 + ((5 - b) * b - 2) * b, a - 29 + ((b + 1) * b - 14) * b])


def powell_badly_scaled(x):
    return A([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x):
    return A([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x):
    return A([y - x[0] * (1 - x[1] ** i) for i, y in ((1, 1.5), (2, 2.25), (3, 2.625))])


def jennrich_sampson(x):
    i = up_to(10)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def helical_valley(x):
    turn = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0].real < 0 else 0)
    return A([10 * (x[2] - 10 * turn), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


BARD = A([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])


def bard(x):
    u = up_to(15)
    return BARD - (x[0] + u / ((16 - u) * x[1] + np.minimum(u, 16 - u) * x[2]))


BELL = A([0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989])
BELL = np.concatenate([BELL, BELL[-2::-1]])


def gaussian(x):
    t = (8 - up_to(15)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - BELL


MEYER = A([34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872])


def meyer(x):
    return x[0] * np.exp(x[1] / (45 + 5 * up_to(16) + x[2])) - MEYER


def magnitude(z):
    return np.where(z.real < 0, -z, z)


def gulf(x):
    t = up_to(99) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return np.exp(-(magnitude(y - x[1]) ** x[2]) / x[0]) - t


def box(x):
    t = up_to(10) / 10
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def powell_singular(x):
    a, b, c, d = x[::4], x[1::4], x[2::4], x[3::4]
    return np.concatenate([a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2])


def wood(x):
    a, b, c, d = x
    tail = [10**0.5 * (b + d - 2), 10**-0.5 * (b - d)]
    return A([10 * (b - a**2), 1 - a, 90**0.5 * (d - c**2), 1 - c, *tail])


KOWALIK = A([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
KOWALIK_U = A([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def kowalik_osborne(x):
    u = KOWALIK_U
    return KOWALIK - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = up_to(20) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


OSBORNE_1 = A([
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
    0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
    0.406,
])  # fmt: skip


def osborne_1(x):
    t = 10 * up_to(32, 0)
    return OSBORNE_1 - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def biggs_exp6(x):
    t = up_to(13) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


OSBORNE_2 = A([
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655, 0.616, 0.606,
    0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495, 0.500, 0.423,
    0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668,
    0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098,
    0.054,
])  # fmt: skip


def osborne_2(x):
    t = up_to(64, 0) / 10
    bells = sum(x[k] * np.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3))
    return OSBORNE_2 - (x[0] * np.exp(-t * x[4]) + bells)


def watson(x):
    n = len(x)
    powers = (up_to(29) / 29)[:, None] ** np.arange(n)
    slope = (up_to(n - 1) * powers[:, : n - 1]) @ x[1:]
    return np.concatenate([slope - (powers @ x) ** 2 - 1, [x[0], x[1] - x[0] ** 2 - 1]])


def penalty_1(x):
    return np.concatenate([1e-5**0.5 * (x - 1), [(x**2).sum() - 0.25]])


def penalty_2(x):
    n, a = len(x), 1e-5**0.5
    i = up_to(n)
    e = np.exp(x / 10)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)
    middle = [a * (e[1:] + e[:-1] - y), a * (e[1:] - np.exp(-0.1))]
    return np.concatenate([[x[0] - 0.2], *middle, [((n - i + 1) * x**2).sum() - 1]])


def variably_dimensioned(x):
    s = (up_to(len(x)) * (x - 1)).sum()
    return np.concatenate([x - 1, [s, s * s]])


def trigonometric(x):
    n = len(x)
    return n - np.cos(x).sum() + up_to(n) * (1 - np.cos(x)) - np.sin(x)


def brown_almost_linear(x):
    return np.concatenate([x[:-1] + x.sum() - (len(x) + 1), [np.prod(x) - 1]])


def padded(x):
    return np.concatenate([[0], x, [0]])


def discrete_boundary_value(x):
    h = 1 / (len(x) + 1)
    t, p = up_to(len(x)) * h, padded(x)
    return 2 * x - p[:-2] - p[2:] + h * h * (x + t + 1) ** 3 / 2


def discrete_integral_equation(x):
    h = 1 / (len(x) + 1)
    t = up_to(len(x)) * h
    c = (x + t + 1) ** 3
    after = ((1 - t) * c).sum() - np.cumsum((1 - t) * c)
    return x + h * ((1 - t) * np.cumsum(t * c) + t * after) / 2


def broyden_tridiagonal(x):
    p = padded(x)
    return (3 - 2 * x) * x - p[:-2] - 2 * p[2:] + 1


def broyden_banded(x):
    n, q = len(x), x * (1 + x)
    band = [sum(q[j] for j in range(max(0, i - 5), min(n, i + 2)) if j != i) for i in range(n)]
    return x * (2 + 5 * x**2) + 1 - A(band)


def linear_full_rank(x):
    s = 2 * x.sum() / 100
    return np.concatenate([x - s - 1, np.full(100 - len(x), -s - 1)])


def linear_rank_1(x):
    return up_to(100) * (up_to(len(x)) * x).sum() - 1


def linear_rank_1_zeros(x):
    s = (np.arange(2, len(x)) * x[1:-1]).sum()
    r = np.arange(100) * s - 1
    r[-1] = -1
    return r


def chebyquad(x):
    y = 2 * x - 1
    before, now, out = np.ones(len(x)), y, []
    for i in up_to(len(x)):
        if i > 1:
            before, now = now, 2 * y * now - before
        out.append(now.mean() + (1 / (i * i - 1) if i % 2 == 0 else 0))
    return A(out)


GRID = up_to(10) / 11 * (up_to(10) / 11 - 1)
# Residuals, standard start, known minima of the sum of squares.
PROBLEMS = [
    (rosenbrock, [-1.2, 1], [0]),
    (freudenstein_roth, [0.5, -2], [0, 48.98425]),
    (powell_badly_scaled, [0, 1], [0]),
    (brown_badly_scaled, [1, 1], [0]),
    (beale, [1, 1], [0]),
    (jennrich_sampson, [0.3, 0.4], [124.3622]),
    (helical_valley, [-1, 0, 0], [0]),
    (bard, [1, 1, 1], [8.214877e-3]),
    (gaussian, [0.4, 1, 0], [1.12793e-8]),
    (meyer, [0.02, 4000, 250], [87.94586]),
    (gulf, [5, 2.5, 0.15], [0]),
    (box, [0, 10, 20], [0]),
    (powell_singular, [3, -1, 0, 1], [0]),
    (wood, [-3, -1, -3, -1], [0]),
    (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], [3.07506e-4]),
    (brown_dennis, [25, 5, -5, -1], [85822.20]),
    (osborne_1, [0.5, 1.5, -1, 0.01, 0.02], [5.46489e-5]),
    (biggs_exp6, [1, 2, 1, 1, 1, 1], [0, 5.655650e-3]),
    (osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], [4.01377e-2]),
    (watson, [0] * 6, [2.287670e-3]),
    (watson, [0] * 9, [1.39976e-6]),
    (rosenbrock, [-1.2, 1] * 50, [0]),
    (powell_singular, [3, -1, 0, 1] * 25, [0]),
    (penalty_1, list(range(1, 11)), [7.08765e-5]),
    (penalty_2, [0.5] * 10, [2.93660e-4]),
    (variably_dimensioned, list(1 - up_to(10) / 10), [0]),
    (trigonometric, [0.1] * 10, [0, 2.79506e-5]),
    (brown_almost_linear, [0.5] * 10, [0, 1]),
    (discrete_boundary_value, list(GRID), [0]),
    (discrete_integral_equation, list(GRID), [0]),
    (broyden_tridiagonal, [-1] * 10, [0]),
    (broyden_banded, [-1] * 10, [0]),
    (linear_full_rank, [1] * 10, [90]),
    (linear_rank_1, [1] * 10, [100 * 99 / (2 * 201)]),
    (linear_rank_1_zeros, [1] * 10, [(100 * 100 + 300 - 6) / (2 * 197)]),
    (chebyquad, list(up_to(8) / 9), [3.51687e-3]),
]


def jacobian(residuals, x):
    columns = []
    for k in range(len(x)):
        z = x.astype(complex)
        z[k] += 1e-30j
        columns.append(residuals(z).imag / 1e-30)
    return A(columns).T


def bounds(start, share):
    """A box around the start, that cuts the way to most minima; ours has the same rule."""
    i = np.arange(len(start))
    size = share * (1 + np.abs(start))
    return start - (1 + i % 3) * size, start + (1 + (i + 1) % 3) * size


def is_solved(value, minima):
    return any(
        abs(value - m) <= 1e-5 * max(1, abs(m)) + 1e-8 and value >= m - 1e-5 * max(1e-3, abs(m)) for m in minima
    )
