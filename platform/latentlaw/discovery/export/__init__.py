"""A law as C, Python or LaTeX: a language a module."""
