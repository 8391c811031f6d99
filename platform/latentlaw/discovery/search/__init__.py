"""The search for equations: engines, fitting, choice."""
