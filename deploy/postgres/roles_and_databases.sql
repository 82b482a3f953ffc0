-- What a new server gets, once: who may connect to what. The same as custody_local/databases.py makes.
-- psql reads the passwords from the files of the secrets.
\set ON_ERROR_STOP on
SET log_statement = none;
SET log_min_error_statement = panic;

\set airflow `cat /run/secrets/airflow_password`
\set custody_owner `cat /run/secrets/custody_owner_password`
\set custody_app `cat /run/secrets/custody_app_password`
\set custody_evidence `cat /run/secrets/custody_evidence_password`

BEGIN;
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE custody_owner LOGIN PASSWORD :'custody_owner';
CREATE ROLE custody_app LOGIN PASSWORD :'custody_app';
CREATE ROLE custody_evidence LOGIN PASSWORD :'custody_evidence';
-- A file that psql could not read gave an empty password, which is none.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_authid WHERE rolname ~ '^(airflow|custody_)' AND rolpassword IS NULL) THEN
        RAISE EXCEPTION 'A role has no password: run deploy/make-secrets and begin with a new volume.';
    END IF;
END
$$;
COMMIT;

CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;

CREATE DATABASE custody OWNER custody_owner;
REVOKE ALL ON DATABASE custody FROM PUBLIC;
GRANT CONNECT ON DATABASE custody TO custody_app, custody_evidence;
