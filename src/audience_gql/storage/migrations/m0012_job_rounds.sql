-- When the worker last looked for jobs in Redis and had an answer; null before the first time.
ALTER TABLE workers ADD COLUMN looked_for_jobs_at timestamptz;
