"""The synchronous client. Made of _async by tools/generate_sync.py: not edited by hand."""
