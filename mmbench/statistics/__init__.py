"""Statistics of predictions: intervals, paired tests, ranks and what choosing the best costs."""
