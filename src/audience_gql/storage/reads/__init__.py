"""Reads for many parents or keys at once: pages, batches and figures. Nothing here writes."""
