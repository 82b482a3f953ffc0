-- What a new server gets, once: who may connect to what. The same as custody_local/databases.py makes.
-- psql reads the passwords; a missing one leaves its variable unset, and the statement with it fails.
\set ON_ERROR_STOP on
SET log_statement = none;
SET log_min_error_statement = panic;

\set airflow `cat /run/secrets/airflow_password`
\set custody_owner `cat /run/secrets/custody_owner_password`
\set custody_app `cat /run/secrets/custody_app_password`
\set custody_evidence `cat /run/secrets/custody_evidence_password`

CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE custody_owner LOGIN PASSWORD :'custody_owner';
CREATE ROLE custody_app LOGIN PASSWORD :'custody_app';
CREATE ROLE custody_evidence LOGIN PASSWORD :'custody_evidence';

CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;

CREATE DATABASE custody OWNER custody_owner;
REVOKE ALL ON DATABASE custody FROM PUBLIC;
GRANT CONNECT ON DATABASE custody TO custody_app, custody_evidence;
