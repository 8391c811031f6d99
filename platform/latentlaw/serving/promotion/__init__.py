"""Who becomes champion, and the model card."""
