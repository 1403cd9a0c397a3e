"""The asynchronous client, of which tools/generate_sync.py makes the other."""
