"""Template → candidates: the store, its keys, its generations and its search engines."""
