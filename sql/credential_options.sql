-- Sources of credentials in a user mapping: what is legal with which, values, who may choose.
\i sql/setup.psql
\set VERBOSITY default
CREATE SERVER cred_s FOREIGN DATA WRAPPER loghub_fdw
	OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', sts_endpoint 'sts.aliyuncs.com');
CREATE SERVER cred_s FOREIGN DATA WRAPPER tablestore_fdw
	OPTIONS (endpoint 'https://i.cn-hangzhou.ots.aliyuncs.com', instance 'i', sts_endpoint 'ftp://sts.aliyuncs.com');
\set VERBOSITY terse
CREATE SERVER cred_s FOREIGN DATA WRAPPER loghub_fdw
	OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', role_arn 'acs:ram::1:role/a');
\set VERBOSITY default
CREATE SERVER cred_s FOREIGN DATA WRAPPER loghub_fdw
	OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', sts_endpoint 'https://sts.cn-hangzhou.aliyuncs.com');
-- keys
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s;
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'keys', access_key_id 'a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (access_key_id 'a', access_key_secret 'b', ecs_role_name 'a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'vault', access_key_id 'a', access_key_secret 'b');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (access_key_id 'a', access_key_secret 'b', sts_endpoint 'https://sts.aliyuncs.com');
-- assume_role
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'assume_role', role_arn 'acs:ram::1:role/a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'arn:aws:iam::1:role/a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', role_session_name 'a b');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', role_session_name 'x');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', session_duration '10min');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', session_duration '13h');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', external_id 'a!b');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', policy 'allow all');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', policy '[1]');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a', ecs_role_name 'a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', security_token 't', role_arn 'acs:ram::1:role/a',
		role_session_name 'nightly@sync', session_duration '1h', external_id 'x/y:z', policy '{"Version": "1", "Statement": []}');
-- the source decides which options remain
ALTER USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (SET credential_source 'keys');
ALTER USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (DROP role_arn);
DROP USER MAPPING FOR CURRENT_USER SERVER cred_s;
-- the host's
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'env', access_key_id 'a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'ecs_ram_role', role_arn 'acs:ram::1:role/a');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'ecs_ram_role', ecs_role_name 'a/b');
CREATE USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (credential_source 'ecs_ram_role', ecs_role_name 'worker');
ALTER USER MAPPING FOR CURRENT_USER SERVER cred_s OPTIONS (SET credential_source 'env', DROP ecs_role_name);
CREATE ROLE cred_user;
GRANT USAGE ON FOREIGN SERVER cred_s TO cred_user;
SET ROLE cred_user;
CREATE USER MAPPING FOR cred_user SERVER cred_s OPTIONS (credential_source 'env');
CREATE USER MAPPING FOR cred_user SERVER cred_s OPTIONS (credential_source 'ECS_RAM_ROLE');
CREATE USER MAPPING FOR cred_user SERVER cred_s
	OPTIONS (credential_source 'assume_role', access_key_id 'a', access_key_secret 'b', role_arn 'acs:ram::1:role/a');
ALTER USER MAPPING FOR cred_user SERVER cred_s
	OPTIONS (SET credential_source 'env', DROP access_key_id, DROP access_key_secret, DROP role_arn);
SET mc_fdw.metadata_endpoint = 'http://127.0.0.1';
SHOW mc_fdw.metadata_endpoint;
RESET ROLE;
SHOW mc_fdw.metadata_endpoint;
DROP SERVER cred_s CASCADE;
DROP ROLE cred_user;
