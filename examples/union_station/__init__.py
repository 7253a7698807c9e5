"""Union Station: a FastAPI and asyncpg service on a FORCE-RLS database, the reference user of Interlock."""
