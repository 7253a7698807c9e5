-- Permissive policies are joined by OR: each one opens the table a little more.
SELECT 'info' AS severity, p.polrelid::regclass::text AS object,
       'several permissive policies apply to one command: a row passes if any of them lets it' AS message,
       string_agg(quote_ident(p.polname), ', ' ORDER BY p.polname) AS evidence, '' AS fix
FROM pg_policy p
CROSS JOIN LATERAL unnest(CASE p.polcmd WHEN '*' THEN ARRAY['r', 'a', 'w', 'd'] ELSE ARRAY[p.polcmd::text] END) command
WHERE p.polpermissive AND (p.polroles = '{0}' OR EXISTS (
    SELECT FROM unnest(p.polroles) role WHERE role <> 0 AND pg_has_role($1, role, 'USAGE')))
GROUP BY p.polrelid, command HAVING count(*) > 1
