"""Read the LaTeX of `to_latex` back into an expression, to see that nothing was lost."""

import re

import sympy
from latentlaw.discovery.equations.expressions import symbol

TOKEN = re.compile(
    r"\s+|\\left|\\right|\\(?P<command>[a-z]+)|z_\{(?P<latent>\d+)\}|(?P<number>\d+\.?\d*)"
    r"|(?P<sign>[-+(){}|^e]|\[|\])"
)
FUNCTIONS = {"tanh": sympy.tanh, "sin": sympy.sin, "cos": sympy.cos, "log": sympy.log}


def read_latex(text: str) -> sympy.Expr:
    """Return the expression that `text` spells."""
    reader = _Reader(text)
    found = reader.total()
    assert not reader.tokens, f"left over: {reader.tokens[:5]} of {text}"
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = []
        place = 0
        while place < len(text):
            match = TOKEN.match(text, place)
            assert match, f"cannot read {text[place:]!r}"
            place = match.end()
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match[match.lastgroup]))

    def ahead(self):
        return self.tokens[0] if self.tokens else ("end", "")

    def take(self, wanted=None):
        token = self.tokens.pop(0)
        assert wanted is None or token[1] == wanted, f"{token} instead of {wanted}"
        return token

    def group(self, opening, closing):
        self.take(opening)
        found = self.total()
        self.take(closing)
        return found

    def total(self):
        negative = self.ahead()[1] == "-"
        if negative:
            self.take()
        terms = [-self.product() if negative else self.product()]
        while self.ahead()[1] in ("+", "-"):
            sign = self.take()[1]
            terms.append(self.product() if sign == "+" else -self.product())
        return sympy.Add(*terms)

    def product(self):
        factors = []
        while self.ahead()[0] != "end" and self.ahead()[1] not in ("+", "-", ")", "}", "]"):
            if self.ahead()[1] == "|" and self.tokens[1][1] != "{":
                break  # the bar that closes
            if self.ahead()[1] == "cdot":
                self.take()
                continue
            factors.append(self.power())
        return sympy.Mul(*factors)

    def power(self):
        base = self.atom()
        return base ** self.exponent() if self.ahead()[1] == "^" else base

    def exponent(self):
        self.take("^")
        return self.group("{", "}")

    def atom(self):
        kind, value = self.take()
        if kind == "number":
            return sympy.Float(value) if "." in value else sympy.Integer(value)
        if kind == "latent":
            return symbol(f"z{value}")
        if value == "e":
            return sympy.exp(self.exponent() if self.ahead()[1] == "^" else 1)
        if value == "frac":
            return self.group("{", "}") / self.group("{", "}")
        if value == "sqrt":
            root = self.group("[", "]") if self.ahead()[1] == "[" else 2
            return self.group("{", "}") ** (sympy.S.One / root)
        if value == "|":
            inside = self.group("{", "}")
            self.take("|")
            return sympy.Abs(inside)
        if value in FUNCTIONS:
            power = self.exponent() if self.ahead()[1] == "^" else 1
            self.take("{")
            inside = self.group("(", ")")
            self.take("}")
            return FUNCTIONS[value](inside) ** power
        assert value in "({", value
        inside = self.total()
        self.take(")" if value == "(" else "}")
        return inside
