"""STAR files, token for token, and the poses and places that they hold."""
