"""Expressions of the latents: a safe text form, their complexity, LaTeX and tidy constants.

Text is parsed by Python's own syntax tree and rebuilt from a list of allowed operators, functions
and latent names; nothing is evaluated, so a file cannot run code.
"""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from latentlaw.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTIONS: dict[str, Any] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "abs": sympy.Abs,
    "Abs": sympy.Abs,
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
}
CHAINS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
UNARY = (sympy.exp, sympy.log, sympy.tanh, sympy.sin, sympy.cos, sympy.Abs)
LONGEST_TEXT = 20_000
MOST_NODES = 4000  # of Python's syntax tree: operators, names, numbers and what holds them
LARGEST_POWER = 9
LATEX_DIGITS = 9


class _Text(StrPrinter):  # type: ignore[misc]  # SymPy ships no types
    def _print_Float(self, expr: sympy.Float) -> str:  # noqa: N802 - SymPy looks for this name
        return repr(float(expr))

    def _print_Exp1(self, expr: sympy.Expr) -> str:  # noqa: N802 - SymPy looks for this name
        return repr(float(expr))


class _Latex(LatexPrinter):  # type: ignore[misc]  # SymPy ships no types
    def _print_Float(self, expr: sympy.Float) -> str:  # noqa: N802 - SymPy looks for this name
        text = f"{float(expr):.{LATEX_DIGITS}g}"
        if "e" not in text:
            return text
        mantissa, power = text.split("e")
        return rf"{mantissa} \cdot 10^{{{int(power)}}}"


def symbol(name: str) -> sympy.Symbol:
    """Return the real symbol of a latent."""
    return sympy.Symbol(name, real=True)


def to_text(expression: sympy.Expr) -> str:
    """Return text that `parse` reads back to the same function, constants to the last bit."""
    return str(_Text().doprint(expression))


def to_latex(expression: sympy.Expr) -> str:
    """Return LaTeX with constants to `LATEX_DIGITS` significant digits."""
    return str(_Latex().doprint(expression))


def parse(text: str, names: Sequence[str]) -> sympy.Expr:
    """Return the expression that `text` spells over the latents `names`.

    Raises
    ------
    DataError
        If `text` is not arithmetic of numbers, `names` and the functions in `FUNCTIONS`.

    Examples
    --------
    >>> parse("1.5*z0 - z1^2", ["z0", "z1"])
    1.5*z0 - z1**2
    >>> parse("__import__('os')", ["z0"])
    Traceback (most recent call last):
        ...
    latentlaw.errors.DataError: expression "__import__('os')": found "__import__('os')", ...
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise DataError(
            f"expression: found {str(text)[:80]!r}, expected text of at most {LONGEST_TEXT} "
            "characters"
        )
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval")
        nodes = sum(1 for _ in ast.walk(tree))
        if nodes > MOST_NODES:
            raise ValueError(f"found {nodes} parts, expected at most {MOST_NODES}")
        expression = _build(tree.body, frozenset(names), text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise DataError(f"expression {text[:80]!r}: cannot be read ({error})") from error
    if not is_readable(expression):
        raise DataError(
            f"expression {text[:80]!r}: found a value that is not finite and real, or "
            f"a power of powers beyond +-{LARGEST_POWER}, expected neither"
        )
    return expression


def is_readable(expression: sympy.Expr) -> bool:
    """Say whether `parse` reads an expression's text: finite, real, and without a large power.

    SymPy makes one power of nested ones, so that a few squares of squares pass what is allowed.
    """
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I):
        return False
    powers = [each.exp for each in expression.atoms(sympy.Pow)]
    return all(power.is_number and abs(power) <= LARGEST_POWER for power in powers)


def _build(node: ast.AST, names: frozenset[str], text: str) -> sympy.Expr:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number = sympy.Integer(node.value) if isinstance(node.value, int) else node.value
        return sympy.sympify(number)
    if isinstance(node, ast.Name) and node.id in names:
        return symbol(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _build(node.operand, names, text)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and isinstance(node.op, CHAINS):
        return _build_chain(node, names, text)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = _build(node.right, names, text)
        if not power.is_number or abs(float(power)) > LARGEST_POWER:
            raise ValueError(f"found another power, expected a number within +-{LARGEST_POWER}")
        return _build(node.left, names, text) ** power
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
    ):
        return FUNCTIONS[node.func.id](_build(node.args[0], names, text))
    found = ast.unparse(node)[:60] if isinstance(node, ast.expr) else type(node).__name__
    raise DataError(
        f"expression {text[:80]!r}: found {found!r}, expected numbers, + - * / **, "
        f"{', '.join(FUNCTIONS)} and the latents {', '.join(sorted(names)[:12])}"
    )


def _build_chain(node: ast.expr, names: frozenset[str], text: str) -> sympy.Expr:
    """Build `a + b - c …` or `a * b / c …` at once: a long one is neither deep nor slow."""
    additive = _is_additive(node)
    parts: list[sympy.Expr] = []
    while (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, CHAINS)
        and _is_additive(node) == additive
    ):
        part = _build(node.right, names, text)
        if isinstance(node.op, ast.Sub):
            part = -part
        elif isinstance(node.op, ast.Div):
            part = 1 / part
        parts.append(part)
        node = node.left
    parts.append(_build(node, names, text))
    return (sympy.Add if additive else sympy.Mul)(*reversed(parts))


def _is_additive(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def complexity(expression: sympy.Expr) -> int:
    """Count the nodes of the tree as PySR does: one an operator, a constant or a variable.

    `a*b*c` has two operators and three leaves. A negative term of a sum is a subtraction and costs
    no extra node; `x**2`, `x**3` and `sqrt` are unary operators; `1/x` is a constant, a division
    and `x`.

    Examples
    --------
    >>> complexity(parse("a*b*c", ["a", "b", "c"]))
    5
    >>> complexity(parse("2*a - b**2", ["a", "b"]))
    6
    """
    if expression.is_Add:
        signed = [_signed(term) for term in expression.args]
        bare = all(
            negative and not body.is_number and body.as_coeff_Mul()[0] == 1
            for negative, body in signed
        )  # no constant can take up the leading minus
        return sum(complexity(body) for _, body in signed) + len(signed) - 1 + bare
    if expression.is_Mul:
        return _product_complexity(expression)
    if expression.is_Pow:
        return _power_complexity(expression)
    if isinstance(expression, UNARY):
        return 1 + complexity(expression.args[0])
    return 1


def _signed(term: sympy.Expr) -> tuple[bool, sympy.Expr]:
    negative = bool(term.could_extract_minus_sign() and not term.is_Add)
    return negative, -term if negative else term


def _product_complexity(expression: sympy.Expr) -> int:
    coefficient, _ = expression.as_coeff_Mul()
    if coefficient == -1:
        return 1 + complexity(-expression)
    top, bottom = [], []
    for factor in expression.args:
        if factor.is_Pow and factor.exp.is_number and factor.exp.is_negative:
            bottom.append(1 / factor)
        else:
            top.append(factor)
    top = top or [sympy.S.One]
    return sum(map(complexity, top + bottom)) + len(top) + len(bottom) - 1


def _power_complexity(expression: sympy.Expr) -> int:
    base, power = expression.args
    if power in (2, 3, sympy.Rational(1, 2)):
        return 1 + complexity(base)
    if power.is_number and power.is_negative:
        return 2 + complexity(1 / expression)
    return 1 + complexity(base) + complexity(power)


def tidy(expression: sympy.Expr) -> sympy.Expr:
    """Return the shortest of a few equal forms.

    As it is, constants pushed into sums, constants pulled out of the sums in products, expanded.
    """
    forms = [expression, _push_constants(expression)]
    if any(
        any(part.is_Add for part in node.args) for node in expression.atoms(sympy.Mul, sympy.Pow)
    ):
        forms.append(_pull_constants(expression))
        if complexity(expression) <= 60:
            forms.append(sympy.expand(expression))
    return min(forms, key=complexity)


def _pull_constants(expression: sympy.Expr) -> sympy.Expr:
    """Make the first coefficient 1 of each sum in a product or a power: `(2x + 6)y = 2(x + 3)y`.

    So a product holds no constant that another could take up.
    """
    if not expression.args:
        return expression
    rebuilt = expression.func(*map(_pull_constants, expression.args))
    if not (rebuilt.is_Mul or rebuilt.is_Pow):
        return rebuilt
    pulled = [_pulled_power(factor) for factor in sympy.Mul.make_args(rebuilt)]
    # all at once: SymPy multiplies a number back into a single sum
    return sympy.Mul(*(weight for weight, _ in pulled), *(body for _, body in pulled))


def _pulled_power(factor: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    """Return a factor as a number and a power of a sum whose first coefficient is 1."""
    base, power = factor.as_base_exp()
    if not (base.is_Add and power.is_Integer):
        return sympy.S.One, factor
    parts = [term.as_coeff_Mul() for term in base.args if not term.is_number]
    if not parts or not parts[0][0].is_Float:
        return sympy.S.One, factor
    scale = parts[0][0]
    parts[0] = (sympy.S.One, parts[0][1])
    rest = [weight / scale * body for weight, body in parts[1:]]
    numbers = [term / scale for term in base.args if term.is_number]
    return scale**power, sympy.Add(parts[0][1], *rest, *numbers) ** power


def _push_constants(expression: sympy.Expr) -> sympy.Expr:
    if not expression.args:
        return expression
    rebuilt = expression.func(*map(_push_constants, expression.args))
    if rebuilt.is_Mul:
        coefficient, _ = rebuilt.as_coeff_Mul()
        sums = [factor for factor in rebuilt.args if factor.is_Add]
        if sums and coefficient not in (1, -1):
            others = [f for f in rebuilt.args if f is not sums[0] and f != coefficient]
            return sympy.Mul(sympy.expand_mul(coefficient * sums[0]), *others)
    return rebuilt


def round_significant(value: float, digits: int) -> float:
    """Return `value` to `digits` significant digits; zero and non-finite values as they are."""
    if value == 0 or not math.isfinite(value):
        return value
    return float(f"{value:.{digits - 1}e}")


def constants_of(expression: sympy.Expr) -> list[sympy.Float]:
    """Return the distinct float constants in a fixed order (structure first, then value)."""
    return sorted(expression.atoms(sympy.Float), key=float)


def snap(expression: sympy.Expr, digits: int = 3) -> sympy.Expr:
    """Round every float constant to `digits` significant digits."""
    swap = {c: sympy.Float(round_significant(float(c), digits)) for c in constants_of(expression)}
    return expression.xreplace(swap)


def terms_of(expression: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Return what the expression adds up; a number, even a sum of numbers, is one term."""
    if expression.is_number:
        return (expression,)
    return tuple(sympy.Add.make_args(expression))


def latents_of(expression: sympy.Expr) -> tuple[str, ...]:
    """Return the names of the latents that the expression uses, sorted."""
    return tuple(sorted(s.name for s in expression.free_symbols))
