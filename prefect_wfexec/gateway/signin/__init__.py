"""Who is asking: personal tokens, a trusted proxy's header, sessions of browsers, and what each person may do."""
