"""From `--key value` to checked parameters and back to MLproject and docs/entries.md."""
