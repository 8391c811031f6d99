"""Data whose truth is known: molecules in tomograms, letters, nuclei."""
