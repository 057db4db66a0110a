"""The command line: thin doors, one file per noun."""
