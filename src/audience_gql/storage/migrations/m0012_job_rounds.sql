-- When the worker last looked for jobs in Redis and got an answer; null before the first time.
ALTER TABLE workers ADD COLUMN looked_for_jobs_at timestamptz;
