"""Simulations that hold mmbench's statistics to what they claim."""
