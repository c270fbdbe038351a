"""What each kind of fact makes of a run's state, one pure function a kind."""
