"""How the report of a period is shown: tables, JSON, CSV, a page with plots."""
