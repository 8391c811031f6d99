"""Runs written: what they log, how epochs reach the store, versions and their aliases."""
