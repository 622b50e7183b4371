"""Use cases that tell about audiences: their past and future, how they overlap and perform, and experiments with them."""
