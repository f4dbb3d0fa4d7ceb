"""What the service stands on. Knows no routes and no resource."""
