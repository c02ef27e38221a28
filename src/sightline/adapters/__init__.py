"""Trackers of others as a `Method`, and ours as a program that others drive."""
