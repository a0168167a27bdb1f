#!/bin/sh
# The roles of the database, made once, when the server's data folder is empty (the postgres image runs what is in
# /docker-entrypoint-initdb.d). docs/how-to/use-your-own-postgresql.md has the same for a server that is there already.
#
#   goods_owner    owns the database and what is in it: migrates, and nothing else
#   goods          the application: reads and writes rows, and can't change a table
#   goods_monitor  the exporter: reads statistics (pg_monitor), and no rows
#
# psql reads each password from its file: none is ever an argument or in the environment.
psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-goods}" \
  --set=owner_file="${DB_OWNER_PASSWORD_FILE:-/run/secrets/db_owner_password}" \
  --set=application_file="${DB_PASSWORD_FILE:-/run/secrets/db_password}" \
  --set=monitor_file="${DB_MONITOR_PASSWORD_FILE:-/run/secrets/db_monitor_password}" <<'SQL' || exit 1
\set owner_password `cat :'owner_file'`
\set application_password `cat :'application_file'`
\set monitor_password `cat :'monitor_file'`
SELECT current_database() AS name, :'owner_password' <> '' AND :'application_password' <> '' AND :'monitor_password' <> ''
  AS passwords_are_there \gset
\if :passwords_are_there
\else
\warn 'a password file is missing or empty: no roles are made'
SELECT 1 / 0;
\endif

CREATE ROLE goods_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE goods LOGIN PASSWORD :'application_password';
CREATE ROLE goods_monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 5 IN ROLE pg_monitor;

ALTER DATABASE :"name" OWNER TO goods_owner;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"name" TO goods;
GRANT CONNECT ON DATABASE :"name" TO goods_monitor;

-- What the owner will make is the application's to use. MAINTAIN is for ANALYZE after an import.
ALTER DEFAULT PRIVILEGES FOR ROLE goods_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON TABLES TO goods;
ALTER DEFAULT PRIVILEGES FOR ROLE goods_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO goods;

CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
SQL
