"""Photo → template: decode, detect, align, measure quality, embed."""
