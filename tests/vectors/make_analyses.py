#!/usr/bin/env python3
"""Writes the vectors of science/stats that tests/vectors/README.md lists under this script.

    python3 -m venv /tmp/oracles
    /tmp/oracles/bin/pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 pandas==3.1.1 \
        pingouin==0.7.0 mpmath==1.4.1
    /tmp/oracles/bin/python tests/vectors/make_analyses.py

The figures come from those packages, or from mpmath with 30 digits where no package has the figure
or enough of its digits; never from this project's code. The same versions write the same bytes.
"""
import importlib.metadata
import json
import math
import pathlib

import mpmath as mp
import numpy as np
import scipy.stats as st
from scipy.optimize import brentq

FOLDER = pathlib.Path(__file__).resolve().parent
T9 = {"abs": 1e-12, "rel": 1e-9}
mp.mp.dps = 30


def version(package):
    return f"{package}=={importlib.metadata.version(package)}"


def plain(value):
    """numpy to JSON; NaN and infinities as text."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(one) for one in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating, mp.mpf)):
        number = float(value)
        if math.isnan(number):
            return "NaN"
        return number if math.isfinite(number) else ("Infinity" if number > 0 else "-Infinity")
    return value


def write(name, oracle, notes, cases, tolerance=None):
    head = {"metric": name, "oracle": oracle, "tolerance": tolerance or T9, "notes": notes, "n_cases": len(cases)}
    lines = [json.dumps(key) + ": " + json.dumps(value, ensure_ascii=False) for key, value in head.items()]
    rows = [
        json.dumps({"id": f"{name}-{i:04d}", "input": plain(a), "params": plain(b), "expected": plain(c)})
        for i, (a, b, c) in enumerate(cases)
    ]
    text = "{\n" + ",\n".join(lines) + ',\n"cases": [\n' + ",\n".join(rows) + "\n]\n}\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"{name:24s} {len(cases):4d}")


def sample(rng, n, kind):
    draw = {
        "normal": lambda: rng.normal(0.3, 1.2, n),
        "skewed": lambda: rng.lognormal(0, 0.8, n),
        "ties": lambda: rng.integers(1, 6, n).astype(float),
        "binary": lambda: rng.integers(0, 2, n).astype(float),
        "far": lambda: 1e6 + rng.normal(0, 1, n),
        "heavy": lambda: rng.standard_t(2, n),
    }[kind]
    return [round(float(x), 4) for x in draw()]


def effect_interval(upper, to_effect, confidence):
    """Ends of the noncentrality at which the observed statistic lies just inside."""
    tail = (1 - confidence) / 2
    out = []
    for goal in (tail, 1 - tail):
        if upper(0) >= goal:
            out.append(to_effect(0))
            continue
        high = 1.0
        while upper(high) < goal:
            high *= 2
        out.append(to_effect(brentq(lambda ncp: upper(ncp) - goal, 0, high, xtol=1e-13, rtol=1e-14)))
    return out


def group_tests(rng):
    cases = []
    for i in range(40):
        k = int(rng.integers(2, 6))
        kind = ["normal", "skewed", "ties", "heavy", "far"][i % 5]
        groups = [sample(rng, int(rng.integers(3, 25)), kind) for _ in range(k)]
        if i % 2:
            groups[0] = [round(x + 1.3, 4) for x in groups[0]]
        arrays = [np.array(group) for group in groups]
        f, p = st.f_oneway(*arrays)
        everything = np.concatenate(arrays)
        n = len(everything)
        exact = [[mp.mpf(repr(x)) for x in group] for group in groups]
        whole = [x for group in exact for x in group]
        center = mp.fsum(whole) / n
        means = [mp.fsum(group) / len(group) for group in exact]
        between = mp.fsum(len(group) * (m - center) ** 2 for group, m in zip(exact, means))
        within = mp.fsum((x - m) ** 2 for group, m in zip(exact, means) for x in group)
        ms = within / (n - k)
        exact_f = between / (k - 1) / ms
        assert abs(float(exact_f) - f) <= 1e-6 * abs(f), (float(exact_f), f)
        f = float(exact_f)
        p = st.f.sf(f, k - 1, n - k)
        level = 0.9 if i % 3 == 0 else 0.95
        interval = effect_interval(
            lambda ncp: st.ncf.sf(f, k - 1, n - k, ncp) if ncp > 0 else st.f.sf(f, k - 1, n - k),
            lambda ncp: ncp / (ncp + n), level)
        expected = {
            "F": f, "p": p, "df_between": k - 1, "df_within": n - k,
            "eta_squared": between / (between + within),
            "omega_squared": (between - (k - 1) * ms) / (between + within + ms),
            "eta_interval": interval,
        }
        h = st.kruskal(*arrays).statistic
        ranks, at, spread = st.rankdata(np.concatenate(arrays)), 0, mp.mpf(0)
        for group in groups:
            spread += len(group) * (mp.fsum(ranks[at:at + len(group)]) / len(group) - mp.mpf(n + 1) / 2) ** 2
            at += len(group)
        exact_h = mp.mpf(12) / (n * (n + 1)) * spread / mp.mpf(float(st.tiecorrect(ranks)))
        assert abs(float(exact_h) - h) < 1e-11 * max(1, h), (exact_h, h)  # its formula loses digits near 0
        h = float(exact_h)
        hp = st.chi2.sf(h, k - 1)
        expected |= {"H": h, "kruskal_p": hp, "kruskal_eta_squared": max(0.0, (h - k + 1) / (n - k))}
        if kind != "far":  # near 1e6 the packages lose the digits of the spreads
            for name, where in (("levene_mean", "mean"), ("levene_median", "median")):
                w, wp = st.levene(*arrays, center=where)
                expected |= {name: w, f"{name}_p": wp}
        cases.append(({"groups": groups}, {"confidence": level}, expected))
    write("group_tests",
          [version("scipy") + " f_oneway, f, ncf, kruskal, levene", version("mpmath") + " sums of squares"],
          "F and effect sizes from sums of squares with 30 digits, checked against f_oneway. eta_interval: "
          "noncentrality interval of F, lambda / (lambda + n).", cases)


def contingency(rng):
    from statsmodels.stats.contingency_tables import Table2x2
    cases = []
    for i in range(48):
        if i < 28:
            table = rng.integers(0 if i % 4 == 0 else 1, 60, (2, 2))
            if i in (0, 4):
                table[0, 1] = 0
            while (table.sum(0) == 0).any() or (table.sum(1) == 0).any():
                table = rng.integers(1, 60, (2, 2))
        else:
            table = rng.integers(1, 40, (int(rng.integers(2, 5)), int(rng.integers(2, 6))))
        level = 0.9 if i % 3 == 0 else 0.95
        rows, columns = table.shape
        n = int(table.sum())
        plain_test = st.chi2_contingency(table, correction=False)
        chi2, df = plain_test.statistic, plain_test.dof
        side = min(rows, columns) - 1
        expected = {
            "chi2": chi2, "p": plain_test.pvalue, "df": df,
            "expected_min": plain_test.expected_freq.min(),
            "below_5": (plain_test.expected_freq < 5).mean(),
            "cramer_v": st.contingency.association(table, method="cramer"),
            "cramer_interval": effect_interval(
                lambda ncp: st.ncx2.sf(chi2, df, ncp) if ncp > 0 else st.chi2.sf(chi2, df),
                lambda ncp: min(1.0, math.sqrt(ncp / (n * side))), level),
        }
        if (rows, columns) == (2, 2):
            yates = st.chi2_contingency(table, correction=True)
            ratios = Table2x2(table + (0.5 if (table == 0).any() else 0.0), shift_zeros=False)
            expected |= {
                "chi2_yates": yates.statistic, "p_yates": yates.pvalue, "phi": math.sqrt(chi2 / n),
                "odds_ratio": ratios.oddsratio, "odds_interval": ratios.oddsratio_confint(1 - level),
                "risk_ratio": ratios.riskratio, "risk_interval": ratios.riskratio_confint(1 - level),
                "shifted": bool((table == 0).any()),
            }
        cases.append(({"table": table}, {"confidence": level}, expected))
    for i in range(12):
        counts = rng.integers(1, 50, int(rng.integers(2, 7)))
        shares = rng.dirichlet(np.ones(len(counts)) * 5) if i % 2 else None
        wanted = None if shares is None else shares * counts.sum()
        got = st.chisquare(counts, wanted)
        given = {"counts": counts} if shares is None else {"counts": counts, "shares": shares}
        cases.append((given, {}, {"fit_chi2": got.statistic, "fit_p": got.pvalue, "df": len(counts) - 1}))
    write("contingency",
          [version("scipy") + " chi2_contingency, chisquare, contingency.association, ncx2",
           version("statsmodels") + " Table2x2"],
          "Yates reduces |observed - expected| by at most itself. Ratios of tables with a 0: 1/2 added to "
          "all cells. cramer_interval: noncentrality interval of chi2, sqrt(lambda / (n (min - 1))).", cases)


def association(rng):
    import statsmodels.api as sm
    cases = []
    for i in range(40):
        n = [3, 4, 5, 8, 12, 20, 35, 60][i % 8]
        x = sample(rng, n, ["normal", "skewed", "ties", "heavy"][i % 4])
        while len(set(x)) < 2:
            x = sample(rng, n, "normal")
        y = [round(0.6 * a * (-1 if i % 5 == 0 else 1) + float(rng.normal(0, 1)), 4) for a in x]
        level = 0.9 if i % 3 == 0 else 0.95
        r, p = st.pearsonr(x, y)
        rho, rho_p = st.spearmanr(x, y)
        expected = {"pearson": r, "pearson_p": p, "spearman": rho, "spearman_p": rho_p}
        if n > 3:
            expected["pearson_interval"] = list(st.pearsonr(x, y).confidence_interval(level))
            z, se = math.atanh(rho) if abs(rho) < 1 else math.copysign(math.inf, rho), \
                math.sqrt((1 + rho * rho / 2) / (n - 3))
            half = st.norm.ppf((1 + level) / 2) * se
            expected["spearman_interval"] = [math.tanh(z - half), math.tanh(z + half)]
        fit = sm.OLS(np.array(y), sm.add_constant(np.array(x))).fit()
        bounds = fit.conf_int(1 - level)
        expected |= {
            "intercept": fit.params[0], "slope": fit.params[1], "intercept_se": fit.bse[0],
            "slope_se": fit.bse[1], "t": fit.tvalues[1], "slope_p": fit.pvalues[1],
            "intercept_p": fit.pvalues[0], "slope_interval": bounds[1], "intercept_interval": bounds[0],
            "r_squared": fit.rsquared, "r_squared_adjusted": fit.rsquared_adj,
            "residual_sd": math.sqrt(fit.mse_resid),
        }
        if n == 3 and abs(rho) == 1:  # p of a rank correlation of 3 pairs in order is 0 by the formula
            expected["spearman_p"] = 0.0
        cases.append(({"x": x, "y": y}, {"confidence": level}, expected))
    write("association",
          [version("scipy") + " pearsonr, spearmanr", version("statsmodels") + " OLS"],
          "spearman_interval: Fisher's z with the standard error of Bonett and Wright 2000.", cases,
          {"abs": 1e-11, "rel": 1e-9})


def shape(rng):
    cases = []
    for i in range(36):
        n = [4, 5, 7, 10, 20, 25, 40, 100, 300][i % 9]
        x = sample(rng, n, ["normal", "skewed", "ties", "heavy"][i % 4])
        while len(set(x)) < 2:
            x = sample(rng, n, "normal")
        expected = {
            "skewness": st.skew(x), "sample_skewness": st.skew(x, bias=False),
            "kurtosis": st.kurtosis(x), "sample_kurtosis": st.kurtosis(x, bias=False),
        }
        if n >= 20:
            k2, p = st.normaltest(x)
            expected |= {"k2": k2, "k2_p": p}
        cases.append(({"values": x}, {}, expected))
    write("shape", [version("scipy") + " skew, kurtosis, normaltest"], "kurtosis: excess.", cases,
          {"abs": 1e-11, "rel": 1e-9})


def poly(ascending, x):
    return sum(mp.mpf(str(c)) * x**i for i, c in enumerate(ascending))


def royston(values):
    """AS R94 with 30 digits: W and p."""
    x = sorted(mp.mpf(repr(v)) for v in values)
    n = len(x)
    half = n // 2
    quantile = lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1)
    if n == 3:
        a = [mp.sqrt(mp.mpf(1) / 2)]
    else:
        m = [quantile((i + 1 - mp.mpf(3) / 8) / (n + mp.mpf(1) / 4)) for i in range(half)]
        s2 = 2 * mp.fsum(v * v for v in m)
        r = 1 / mp.sqrt(n)
        a1 = poly([0, .221157, -.147981, -2.07119, 4.434685, -2.706056], r) - m[0] / mp.sqrt(s2)
        if n > 5:
            a2 = poly([0, .042981, -.293762, -1.752461, 5.682633, -3.582633], r) - m[1] / mp.sqrt(s2)
            fac = mp.sqrt((s2 - 2 * m[0]**2 - 2 * m[1]**2) / (1 - 2 * a1**2 - 2 * a2**2))
            a = [a1, a2] + [-v / fac for v in m[2:]]
        else:
            fac = mp.sqrt((s2 - 2 * m[0]**2) / (1 - 2 * a1**2))
            a = [a1] + [-v / fac for v in m[1:]]
    center = mp.fsum(x) / n
    weights = [-v for v in a] + ([mp.mpf(0)] if n % 2 else []) + list(reversed(a))
    top = mp.fsum(w * v for w, v in zip(weights, x)) ** 2
    w = top / (mp.fsum((v - center)**2 for v in x) * mp.fsum(v * v for v in weights))
    if n == 3:
        return w, max(mp.mpf(0), 6 / mp.pi * (mp.asin(mp.sqrt(w)) - mp.pi / 3))
    y, log_n = mp.log(1 - w), mp.log(n)
    if n <= 11:
        gamma = poly([-2.273, .459], n)
        if y >= gamma:
            return w, mp.mpf(0)
        y = -mp.log(gamma - y)
        mean, sd = poly([.544, -.39978, .025054, -6.714e-4], n), mp.exp(poly([1.3822, -.77857, .062767, -.0020322], n))
    else:
        mean, sd = poly([-1.5861, -.31082, -.083751, .0038915], log_n), mp.exp(poly([-.4803, -.082676, .0030302], log_n))
    return w, mp.erfc((y - mean) / sd / mp.sqrt(2)) / 2


def normality(rng):
    cases, worst = [], 0
    for i in range(40):
        n = [3, 4, 5, 6, 8, 11, 12, 20, 50, 200][i % 10]
        x = sample(rng, n, ["normal", "skewed", "heavy", "ties"][i // 10])
        while len(set(x)) < 2:
            x = sample(rng, n, "normal")
        w, p = royston(x)
        got = st.shapiro(x)
        worst = max(worst, abs(got.statistic - float(w)))
        assert abs(got.statistic - float(w)) < 2e-7, (x, got, w)
        assert abs(got.pvalue - float(p)) < 1e-5 + 1e-4 * float(p), (x, got, p)
        cases.append(({"values": x}, {}, {"w": w, "p": p, "w_scipy": got.statistic, "p_scipy": got.pvalue}))
    write("normality",
          [version("mpmath") + " AS R94 with 30 digits", version("scipy") + " shapiro"],
          "scipy takes the normal quantiles from AS 111, good to some seven digits: its figures are beside, "
          "for a looser comparison.", cases)


def bayes(rng):
    import pingouin
    cases = []
    for i in range(32):
        n = int(rng.integers(3, 400))
        m = 0 if i % 2 else int(rng.integers(3, 400))
        t = round(float(rng.normal(0, [1, 3, 8][i % 3])), 3)
        if i == 30:
            n, m, t = 50000, 50000, 3.1
        if i == 31:
            n, m, t = 100000, 0, 40.0
        r = [math.sqrt(2) / 2, 1.0, 0.5][i % 3]
        size, df = (n, n - 1) if m == 0 else (n * m / mp.mpf(n + m), n + m - 2)
        mt, mr = mp.mpf(repr(t)), mp.mpf(repr(r))

        def integrand(u):
            g = mp.exp(u)
            grown = 1 + size * g * mr**2
            return mp.exp(-mp.log(grown) / 2 - mp.mpf(df + 1) / 2 * mp.log(1 + mt**2 / (grown * df)) - u / 2
                          - 1 / (2 * g) + mp.mpf(df + 1) / 2 * mp.log(1 + mt**2 / df)) / mp.sqrt(2 * mp.pi)
        bf = mp.quad(integrand, [-8, -5, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10, 14, 20, 30, 45, 70])
        if i < 30:  # beyond, its integral is below every double
            check = float(pingouin.bayesfactor_ttest(t, n, m if m else None, paired=m == 0, r=r))
            assert abs(check - float(bf)) <= 1e-4 * float(bf), (t, n, m, check, bf)
        cases.append(({"t": t, "n": n, "m": m}, {"r": r}, {"log_bf10": mp.log(bf)}))
    for i in range(24):
        na, nb = int(rng.integers(1, [15, 200, 3000][i % 3])), int(rng.integers(1, [15, 200, 3000][i % 3]))
        ha, hb = int(rng.integers(0, na + 1)), int(rng.integers(0, nb + 1))
        level = 0.9 if i % 3 == 0 else 0.95
        a1, b1, a2, b2 = (mp.mpf(v) for v in (ha + 1, na - ha + 1, hb + 1, nb - hb + 1))
        log_b = lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
        greater = mp.fsum(
            mp.exp(log_b(a2 + j, b1 + b2) - mp.log(b1 + j) - log_b(1 + j, b1) - log_b(a2, b2)) for j in range(ha + 1))
        pa, pb = st.beta(ha + 1, na - ha + 1), st.beta(hb + 1, nb - hb + 1)
        low, high = pb.ppf(1e-16), pb.isf(1e-16)
        nodes, weights = np.polynomial.legendre.leggauss(400)

        def cdf(d):
            # Where y + d passes 1 the distribution of a is 1, below 0 it is 0: no kink is integrated.
            left, right = max(low, -d), min(high, 1 - d)
            whole = pb.sf(1 - d) if 1 - d < 1 else 0.0
            if right <= left:
                return float(whole)
            y = left + (nodes + 1) / 2 * (right - left)
            return float(whole + np.dot(weights, pb.pdf(y) * pa.cdf(y + d)) * (right - left) / 2)
        assert abs(1 - cdf(0) - float(greater)) < 1e-9
        tail = (1 - level) / 2
        ends = [brentq(lambda d: cdf(d) - goal, -1, 1, xtol=1e-14) for goal in (tail, 1 - tail)]
        cases.append((
            {"hits_a": ha, "misses_a": na - ha, "hits_b": hb, "misses_b": nb - hb}, {"confidence": level},
            {"log_bf10": log_b(a1, b1) + log_b(a2, b2) - log_b(a1 + a2 - 1, b1 + b2 - 1),
             "probability_greater": greater, "credible": ends,
             "mean_difference": a1 / (a1 + b1) - a2 / (a2 + b2)}))
    write("bayes",
          [version("mpmath") + " the integral and the sums with 30 digits", version("pingouin") + " bayesfactor_ttest",
           version("scipy") + " beta"],
          "JZS Bayes factor of t (m = 0: one sample), checked against pingouin; two shares with Beta(1, 1) priors.",
          cases, {"abs": 1e-10, "rel": 1e-9})


def group_power(rng):
    from statsmodels.stats.power import FTestAnovaPower, GofChisquarePower
    cases = []
    for i in range(30):
        n, alpha = int(rng.integers(12, 400)), [0.05, 0.01, 0.1][i % 3]
        k, effect = int(rng.integers(2, 7)), round(float(rng.uniform(0.02, 0.6)), 3)
        df = int(rng.integers(1, 9))
        half = st.norm.ppf(1 - alpha / 2)
        shift = math.atanh(effect) * math.sqrt(n - 3)
        cases.append((
            {"n": n, "groups": k, "effect": effect, "df": df}, {"alpha": alpha},
            {"anova": FTestAnovaPower().power(effect, n, alpha, k_groups=k),
             "chi_squared": GofChisquarePower().power(effect, n, alpha, n_bins=df + 1),
             "correlation": st.norm.sf(half - shift) + st.norm.cdf(-half - shift)}))
    write("group_power", [version("statsmodels") + " FTestAnovaPower, GofChisquarePower", version("scipy") + " norm"],
          "n: in all. correlation: Fisher's z, both tails.", cases)


if __name__ == "__main__":
    for i, make in enumerate((group_tests, contingency, association, shape, normality, bayes, group_power)):
        make(np.random.default_rng(20261126 + i))
