-- Lower lanes go first. 0: new and edited segments. 1: recomputes, and the clearing of deleted segments.
ALTER TABLE wanted_fills ADD COLUMN lane smallint NOT NULL DEFAULT 0;
