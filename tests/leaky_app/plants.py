"""The planted leaks: one id each, the layer it is in, and for those in the database the SQL that plants it."""

from __future__ import annotations

from dataclasses import dataclass

_OWN = "org_id = (SELECT nullif(current_setting('app.current_org_id', true), '')::uuid)"


@dataclass(frozen=True)
class Plant:
    """One leak. ``sql`` is run by a superuser on the mutant's own database."""

    id: str
    layer: str
    sql: str = ""


def _all(layer: str, ids: str) -> list[Plant]:
    return [Plant(one, layer) for one in ids.split()]


DATABASE = [
    Plant("policy-opened", "database", "ALTER POLICY own_org ON customers USING (true) WITH CHECK (true)"),
    Plant("rls-disabled", "database", "ALTER TABLE tickets DISABLE ROW LEVEL SECURITY"),
    Plant("second-permissive-policy", "database", "CREATE POLICY helpful ON documents FOR SELECT USING (true)"),
    Plant("policy-with-exception", "database", f"ALTER POLICY own_org ON invoices USING ({_OWN} OR paid)"),
    Plant(
        "view-of-its-owner",
        "database",
        "GRANT SELECT ON activity_log TO desk_admin; ALTER VIEW activity SET (security_invoker = false); "
        "ALTER VIEW activity OWNER TO desk_admin",
    ),
    Plant(
        "search-security-definer",
        "database",
        "ALTER FUNCTION find_anything SECURITY DEFINER; ALTER FUNCTION find_anything OWNER TO desk_admin",
    ),
    Plant(
        "unique-everywhere",
        "database",
        "ALTER TABLE customers DROP CONSTRAINT customers_email, ADD CONSTRAINT customers_email UNIQUE (email)",
    ),
    Plant(
        "reference-unscoped",
        "database",
        "ALTER TABLE tickets DROP CONSTRAINT tickets_customer, ADD CONSTRAINT tickets_customer "
        "FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE",
    ),
    # Nobody is shown a row of it, until the allowance is used up.
    Plant(
        "upload-counted-to-the-newest",
        "database",
        f"""
        CREATE TABLE uploads (org_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (org_id, id));
        ALTER TABLE uploads OWNER TO desk_admin;
        ALTER TABLE uploads ENABLE ROW LEVEL SECURITY; ALTER TABLE uploads FORCE ROW LEVEL SECURITY;
        CREATE POLICY own_org ON uploads USING ({_OWN});
        CREATE FUNCTION count_upload() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
        BEGIN
            IF (SELECT count(*) >= 150 FROM uploads u WHERE u.org_id = NEW.org_id) THEN
                RAISE EXCEPTION 'the allowance is used up';
            END IF;
            INSERT INTO uploads (org_id) SELECT o.org_id FROM orgs o ORDER BY o.ctid DESC LIMIT 1;
            RETURN NEW;
        END $$;
        ALTER FUNCTION count_upload() OWNER TO desk_admin;
        CREATE TRIGGER count_upload BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION count_upload();
        """,
    ),
]

PLANTS = [
    *DATABASE,
    *_all("context", "session-setting-kept global-during-await background-under-previous-org list-through-admin"),
    *_all(
        "context",
        "archived-through-admin filter-through-admin org-from-header org-from-query org-from-cookie org-from-body",
    ),
    *_all(
        "handler",
        "by-email-any-org read-any-customer blind-update delete-any-customer nested-list-any-parent merge-into-any",
    ),
    *_all("handler", "reference-names-customer batch-any-org read-any-ticket close-any-ticket comment-on-any-ticket"),
    *_all(
        "handler", "nested-child-unchecked download-any pay-any-silently void-any approve-any execute-any report-any"
    ),
    *_all(
        "cache", "list-page-cache item-cache-before-check search-cache-by-text preferences-cached-once etag-of-anybody"
    ),
    *_all("cache", "idempotency-any-org proposal-dedup-any-org seen-count-any-org document-dedup-any-org"),
    *_all("side", "conflict-names-holder total-count-header export-csv-all suggest-cut-names cursor-of-everybody"),
    *_all("side", "last-modified-of-everybody archive-all dump-gzip-all link-for-anybody summary-of-everybody"),
    *_all("side", "forbidden-or-missing stats-of-everybody log-of-another broadcast-to-all allowance-shared"),
    *_all("cache", "account-cached-once"),
]

# No leak yet: of two layers one is gone, and the next mistake in the other will be one.
ONE_LAYER_LESS = Plant("filter-left-to-policy", "handler")
