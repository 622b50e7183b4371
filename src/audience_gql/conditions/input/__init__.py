"""How conditions are read: their shapes as data, and a parse that finds every problem at once."""
