"""`python -m outreach …` is `outreach …`."""

from outreach.cli.app import main

if __name__ == "__main__":
    main()
