"""The schema's history. A migration is SQL in a file of its own, and states the lock it takes."""
