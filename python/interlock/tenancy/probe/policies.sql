-- $1 the role, $2 the tenant column. One row a table: its columns, its policies for the role, and what these call.
WITH RECURSIVE
of_tenants AS (
    -- Tables with the tenant column, and those whose foreign keys lead to one.
    SELECT c.oid FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p')
    UNION
    SELECT f.conrelid FROM of_tenants t JOIN pg_constraint f ON f.confrelid = t.oid AND f.contype = 'f'
),
base_types AS (
    SELECT oid AS type, oid AS base, typtype, typbasetype FROM pg_type
    UNION ALL
    SELECT b.type, t.oid, t.typtype, t.typbasetype
    FROM base_types b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
),
user_functions AS (
    SELECT f.oid, f.proname, coalesce(pg_get_function_sqlbody(f.oid), f.prosrc) AS body
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE f.oid >= 16384 AND n.nspname <> 'interlock'  -- ours hold no hole of yours
),
called AS (
    -- Functions that a policy calls, and those that these call: by name, since a body is only text.
    SELECT p.polrelid, f.oid, f.proname, f.body
    FROM pg_policy p
    JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN user_functions f ON f.oid = d.refobjid
    UNION
    SELECT c.polrelid, f.oid, f.proname, f.body
    FROM called c
    JOIN user_functions f ON f.oid <> c.oid AND c.body ~ ('\m' || f.proname || '\s*\(')
    WHERE f.proname ~ '^\w+$'
)
SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident(c.relname) AS alias,
       (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attname = $2 AND NOT a.attisdropped) AS tenant_type,
       quote_ident($2) AS tenant_sql,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2 AND NOT a.attnotnull) AS ownerless,
       ARRAY(SELECT DISTINCT a.attname::text FROM pg_constraint f JOIN of_tenants t ON t.oid = f.confrelid
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (f.conkey)
             WHERE f.conrelid = c.oid AND f.contype = 'f') AS referring,
       (SELECT string_agg(format('EXISTS (SELECT FROM %s AS referred WHERE %s)', f.confrelid::regclass, (
            SELECT string_agg(format('referred.%I = %I.%I', r.attname, c.relname, a.attname), ' AND ')
            FROM unnest(f.conkey, f.confkey) AS pair(own, other)
            JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = pair.own
            JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = pair.other)), ' AND ')
        FROM pg_constraint f JOIN of_tenants t ON t.oid = f.confrelid
        WHERE f.conrelid = c.oid AND f.contype = 'f') AS owned_through,
       (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(b.base, NULL),
            'length', CASE WHEN a.atttypmod > 4 AND b.base IN ('varchar'::regtype, 'bpchar'::regtype) THEN a.atttypmod - 4 END,
            'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.base)))
        FROM pg_attribute a JOIN base_types b ON b.type = a.atttypid AND b.typtype <> 'd'
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT json_agg(json_build_object('name', p.polname, 'command', p.polcmd, 'permissive', p.polpermissive,
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)))
        FROM pg_policy p WHERE p.polrelid = c.oid AND (p.polroles = '{0}' OR EXISTS (
            SELECT FROM unnest(p.polroles) r WHERE r <> 0 AND pg_has_role($1, r, 'USAGE')))) AS policies,
       ARRAY(SELECT f.body FROM called f WHERE f.polrelid = c.oid) AS sources,
       ARRAY(SELECT command FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) command
             WHERE has_schema_privilege($1, n.oid, 'USAGE')
               AND CASE command WHEN 'DELETE' THEN has_table_privilege($1, c.oid, 'DELETE')
                   ELSE has_any_column_privilege($1, c.oid, command) END) AS granted
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND c.relkind IN ('r', 'p')
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'interlock')
ORDER BY 1
