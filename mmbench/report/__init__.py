"""Runs told to people: the page, Markdown, LaTeX, tables and pictures, from the tables alone."""
