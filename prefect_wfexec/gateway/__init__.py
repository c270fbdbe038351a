"""What other systems and browsers reach: webhooks, approval links, Slack's buttons and the REST API."""
