"""A law as C99: a header and a source that need the C library's `math.h` alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from latentlaw.discovery.equations.programs import LIMIT
from latentlaw.discovery.export.statements import Syntax, scored, statements

if TYPE_CHECKING:
    from latentlaw.discovery.equations.law import Law

_HEADER = """/* A law of latents: law_classify(z) tells the class of one particle.
 *
 * z are the latents of a particle in the order of law_latent_names; what is written is in the
 * order of law_class_names. Made by latentlaw; ISO C99, needs -lm alone, allocates nothing.
 */
#ifndef LATENTLAW_LAW_H
#define LATENTLAW_LAW_H

#ifdef __cplusplus
extern "C" {{
#endif

#define LAW_LATENTS {latents}
#define LAW_CLASSES {classes}

extern const char *const law_latent_names[LAW_LATENTS];
extern const char *const law_class_names[LAW_CLASSES]; /* UTF-8 */

/* The logit of each class; a value that is undefined counts as 0. */
void law_logits(const double *z, double *logits);

/* The probability of each class. */
void law_probabilities(const double *z, double *probabilities);

/* The index of the most probable class; of equal ones the first. */
int law_classify(const double *z);

#ifdef __cplusplus
}}
#endif

#endif
"""
_PRELUDE = f"""#include "law.h"

#include <math.h>

#ifdef __FAST_MATH__
#error "undefined values are told by NaN: compile without -ffast-math"
#endif

static double bounded(double x) {{
    return isnan(x) ? 0.0 : fmax(-{LIMIT!r}, fmin({LIMIT!r}, x));
}}
"""
_SIGN = """
static double sign(double x) {
    return isnan(x) ? x : (double)((x > 0) - (x < 0));
}
"""
_POSTLUDE = """
void law_probabilities(const double *z, double *probabilities) {
    double total = 0.0;
    const int best = law_classify(z);
    law_logits(z, probabilities);
    const double largest = probabilities[best];
    for (int k = 0; k < LAW_CLASSES; k++) {
        probabilities[k] = exp(probabilities[k] - largest);
        total += probabilities[k];
    }
    for (int k = 0; k < LAW_CLASSES; k++)
        probabilities[k] /= total;
}

int law_classify(const double *z) {
    double logits[LAW_CLASSES];
    int best = 0;
    law_logits(z, logits);
    for (int k = 1; k < LAW_CLASSES; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}
"""


def _number(value: float) -> str:
    if math.isfinite(value):
        text = repr(float(value))
        return f"({text})" if value < 0 else text
    return "NAN" if math.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"


_CALLS = {name: name for name in ("exp", "log", "sin", "cos", "sign", "tanh", "pow", "bounded")}
_SYNTAX = Syntax(
    assign="const double {name} = {value};", number=_number, calls=_CALLS | {"abs": "fabs"}
)


def to_c(law: Law) -> tuple[str, str]:
    """Return the source `law.c` and the header `law.h` of a law."""
    heads = scored(law)
    names = [f"f{k}" for k in range(len(heads))]
    body = []
    for name, head in zip(names, heads, strict=True):
        body.append(f"/* {head.expression} */")
        body += statements(head.program, _SYNTAX, name)
    values = ["-f0 / 2", "f0 / 2"] if len(names) == 1 else names
    body += [f"logits[{k}] = {value};" for k, value in enumerate(values)]
    signed = any(step.kind == "sign" for head in heads for step in head.program.steps)
    source = [
        _PRELUDE + (_SIGN if signed else ""),
        _names("law_latent_names[LAW_LATENTS]", law.latent_names),
        _names("law_class_names[LAW_CLASSES]", law.class_names),
        "",
        "void law_logits(const double *z, double *logits) {",
        "    (void)z; /* a law may be constant */",
        *(f"    {line}" for line in body),
        "}",
    ]
    header = _HEADER.format(latents=len(law.latent_names), classes=len(law.class_names))
    return "\n".join(source) + f"\n{_POSTLUDE}", header


def _names(variable: str, names: tuple[str, ...]) -> str:
    return f"const char *const {variable} = {{{', '.join(map(_string, names))}}};"


def _string(text: str) -> str:
    """Return a C string; bytes beyond ASCII and what C gives a meaning are octal escapes."""
    plain = {ord(" "), *range(ord("!"), 0x7F)} - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'
