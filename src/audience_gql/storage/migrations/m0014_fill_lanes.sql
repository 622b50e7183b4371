-- Which fills go first: 0, new and edited segments; 1, recomputes, and what deleted segments leave behind.
ALTER TABLE wanted_fills ADD COLUMN lane smallint NOT NULL DEFAULT 0;
