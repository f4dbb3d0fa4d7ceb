"""An application that is loading for as long as anybody waits."""

from threading import Event

print("It loads.", flush=True)
Event().wait()
