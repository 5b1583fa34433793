"""What people decided: decisions, outcomes, watchlists, samples."""
