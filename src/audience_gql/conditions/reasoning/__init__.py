"""What can be said of a condition without asking the database: what it reads, when it changes, why it holds, what is odd about it."""
