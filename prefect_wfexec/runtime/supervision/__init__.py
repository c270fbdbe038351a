"""What the supervisor process runs, and what it shares with the flow process; imports the standard library only."""
