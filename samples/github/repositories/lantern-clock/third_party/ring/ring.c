/* A ring buffer that came from elsewhere; it has its own repository. */
int ring_next(int at, int size) { return (at + 1) % size; }
