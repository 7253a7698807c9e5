-- What has fired once over all hosts. Only the admin role, through Interlock's private lane, touches it.
--
-- One row a key, never deleted: each firing raises the epoch, and a reset names the epoch it resets, so that a worker
-- that comes late cannot reset a firing it has not seen. No sequence: a loser would burn a number.
CREATE TABLE IF NOT EXISTS interlock.fire_once (
    key text COLLATE "C" PRIMARY KEY CHECK (octet_length(key) <= 1024),
    fired boolean NOT NULL,
    epoch bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

REVOKE ALL ON interlock.fire_once FROM PUBLIC, :"tenant_role", :"admin_role";
GRANT SELECT, INSERT, UPDATE ON interlock.fire_once TO :"admin_role";
