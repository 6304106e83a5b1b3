"""Readers of annotation formats, one a file; what they share is in text, rows, labels, finder, splits and entry."""
