"""What `fr evaluate` gives out: a document, a table, curves, plots, and pairs to look at."""
