"""Operations while they run: how clients request them, who waits for a place, and how long each may take."""
