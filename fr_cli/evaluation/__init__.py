"""Labelled scores → error rates, by ISO/IEC 19795-1. Pure mathematics."""
