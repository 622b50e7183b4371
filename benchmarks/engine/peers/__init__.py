"""How other products maintain segments, as plain SQL on the same data. Each file names the published source that it follows."""
