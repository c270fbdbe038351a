"""Taking away what a cancelled run has made: by a run of its own, once, and seen to be done."""
