"""The colours of every page: told apart with any colour vision, on light and on dark ground."""

# Okabe and Ito (2008). Black is left out: it is the ground of the dark theme.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
# The same order, since a colour alone is no label.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "star", "cross")
GREY = "#999999"

# Cells of tables, with a text colour of their own: they look alike in both themes.
DIFFERS = "background-color: #FCE8C5; color: #202020"
BETTER = "background-color: #CDE8DE; color: #202020; font-weight: bold"
