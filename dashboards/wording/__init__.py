"""Text as pages show it: escaped, typeset, in the field's words."""
