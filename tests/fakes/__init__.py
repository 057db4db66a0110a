"""Stand-ins for the world outside: real servers on loopback that validate, record and misbehave on request."""
