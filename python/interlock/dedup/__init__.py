"""What makes one proposal the same as another: in memory and in PostgreSQL."""
