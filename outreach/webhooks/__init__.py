"""What providers tell us: bytes and headers in, events in our words out. No web framework, no database."""
