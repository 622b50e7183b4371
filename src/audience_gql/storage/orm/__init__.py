"""A Tortoise model for every table. Most are for reading: SQL writes the rows of people and of the processes' work."""
