"""Blocks that families share. A block that two families compute alike lives here, once."""
