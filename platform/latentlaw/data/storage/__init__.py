"""What every store shares: whole or absent, one writer, a header, all of its chunks."""
