"""Score → answer: calibration, threshold and candidate list. Pure mathematics."""
