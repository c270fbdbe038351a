"""What the product promises, row by row: where each row is found, the tests that show it, and whether they can fail."""
