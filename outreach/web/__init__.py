"""The pages: what signers, organizers and staff see. Thin doors; the verbs live below."""
