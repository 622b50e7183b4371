"""Who gets one of a limited number of places, and how long the others wait."""
