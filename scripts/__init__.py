"""What starts, prepares and checks the project on a developer's machine."""
