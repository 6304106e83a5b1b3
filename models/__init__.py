"""Architectures, one file each: every model maps `clip[b c t h w]` to `logits[b k]`."""
