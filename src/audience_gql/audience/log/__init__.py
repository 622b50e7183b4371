"""The log as clients receive it, from a cursor on and then live, read once for all listeners; and how long it is kept."""
