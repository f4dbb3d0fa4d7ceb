"""API keys: for programs of a person, shown once, with less than the person may."""
