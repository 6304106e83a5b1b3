"""Readers of annotation formats, one a file; what they share is in text, labels, finder, splits and entry."""
