"""Reads for many at once: pages, batches, figures. Nothing here writes."""
