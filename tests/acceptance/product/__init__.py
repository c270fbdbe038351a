"""What the product's pages promise on the command line, a test for each row."""
