"""From latents to laws: sparse networks, symbolic regression, the frontier."""
