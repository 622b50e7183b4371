"""What ticks, fills and audits ask and write, under a bucket's lock or beside it."""
