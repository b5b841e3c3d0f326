"""Is a run worse than another? Quality, speed, coverage and environment, held side by side."""
