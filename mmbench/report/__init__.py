"""A run told to people: Markdown and CSV, from the tables alone."""
