-- What pg_dump carries: one call per statement, sequences of identity columns included.
SELECT pg_catalog.pg_extension_config_dump('mlplat.model', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.model_model_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.version', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.version_version_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.chunk', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.metric', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.confusion', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.roc', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.history', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.deployment', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.deployment_log', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.deployment_log_entry_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.privilege', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.function', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.job', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.job_job_seq', '');
SELECT pg_catalog.pg_extension_config_dump('mlplat.job_end', '');
