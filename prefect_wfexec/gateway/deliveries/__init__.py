"""Every request that ever asked for a run: kept before it is answered, with what came of it and why."""
