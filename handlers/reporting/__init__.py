"""Reports: where their facts come from, and how they look."""
