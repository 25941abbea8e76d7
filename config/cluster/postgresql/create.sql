-- The user and the database of Facegate in PostgreSQL. The password is in a file that the user postgres can read:
--   sudo -u postgres FACEGATE_PASSWORD_FILE=/path/to/file psql --file create.sql
\set ON_ERROR_STOP on
\set password `cat "$FACEGATE_PASSWORD_FILE"`
-- If a statement fails, as for a user that exists, PostgreSQL would log it with the password.
SET log_min_error_statement = panic;
SET log_statement = none;
SET log_min_duration_statement = -1;
-- No superuser: Facegate makes its schema and tables in its own database, and can read no other.
CREATE ROLE facegate LOGIN PASSWORD :'password';
CREATE DATABASE facegate OWNER facegate TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE facegate FROM PUBLIC;
-- Only for gallery.in_memory, with the package of pgvector installed:
-- \connect facegate
-- CREATE EXTENSION vector;
