"""Tables as text."""

import pandas as pd
from latentlaw.tracking import markdown


def as_markdown(table: pd.DataFrame, rows: str = "measure") -> str:
    """Write the columns of a table of text as the rows of one in Markdown, called `rows`."""
    head = [rows, *map(str, table.index)]
    return markdown.table(head, ([str(name), *table[name].tolist()] for name in table))
