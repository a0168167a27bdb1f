"""The SQL of API keys."""

ALL = "SELECT id, name, scope, hash, expires_at, revoked_at FROM access_keys"
# $1 ids, $2 moments as text: a key that two processes use has the later one
USED = """
UPDATE access_keys k SET last_used_at = used.at
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::text[])::timestamptz AS at) used
WHERE k.id = used.id AND (k.last_used_at IS NULL OR k.last_used_at < used.at)
"""
# $1 name, $2 hash, $3 scope, $4 days or null
CREATE = """
INSERT INTO access_keys (name, hash, scope, created_at, expires_at)
VALUES ($1, $2, $3, now(), now() + make_interval(days => $4::integer)) RETURNING expires_at
"""
REVOKE = """
UPDATE access_keys SET revoked_at = coalesce(revoked_at, now()) WHERE name = $1 RETURNING revoked_at
"""
LIST = """
SELECT name, scope, created_at, expires_at, last_used_at, revoked_at,
  CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END AS state
FROM access_keys ORDER BY name
"""
