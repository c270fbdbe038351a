"""What people do with the messages about gates in Slack."""
