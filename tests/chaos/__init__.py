"""Everything at random and at once, and the auditor that says what came of it."""
