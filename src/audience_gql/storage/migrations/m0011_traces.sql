-- Where work comes from, as W3C Trace Context writes it, so that spans can be linked. Null unless the work was sampled for a trace.
ALTER TABLE dirty ADD COLUMN trace text;
ALTER TABLE webhook_changes ADD COLUMN trace text;

-- The latest tick of the bucket that was traced, and the last sequence that it wrote to the log.
ALTER TABLE buckets ADD COLUMN trace text, ADD COLUMN trace_sequence bigint;
