"""Parts of pages: what is asked of the user, and what is shown."""
