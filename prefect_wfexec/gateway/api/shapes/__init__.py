"""The JSON that the API takes and gives; what it gives is what `--json` prints."""
