"""From Amazon's pages to sealed records."""
