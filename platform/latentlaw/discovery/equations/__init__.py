"""Equations of latents: parsed, evaluated, compared, exported."""
