"""How others keep segments, as plain SQL on the same data; each file says whose published source its steps follow."""
