"""The REST API: what the command line does and shows, over HTTP."""
