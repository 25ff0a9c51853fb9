/*
 * Functions that views, triggers and generated functions call; not for people.
 */

/*
 * Tells every session that resolutions of models may have changed, when the change
 * commits.  ENABLE ALWAYS, so that rows applied by logical replication count, too.
 */
CREATE FUNCTION mlplat._invalidate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mlplat_invalidate';
COMMENT ON FUNCTION mlplat._invalidate() IS 'tells all sessions to look up models again';
REVOKE ALL ON FUNCTION mlplat._invalidate() FROM PUBLIC;

CREATE TRIGGER _invalidate AFTER INSERT OR UPDATE OR DELETE ON mlplat.model
	FOR EACH ROW EXECUTE FUNCTION mlplat._invalidate();
CREATE TRIGGER _invalidate AFTER INSERT OR UPDATE OR DELETE ON mlplat.version
	FOR EACH ROW EXECUTE FUNCTION mlplat._invalidate();
CREATE TRIGGER _invalidate AFTER INSERT OR UPDATE OR DELETE ON mlplat.deployment
	FOR EACH ROW EXECUTE FUNCTION mlplat._invalidate();
CREATE TRIGGER _invalidate AFTER INSERT OR UPDATE OR DELETE ON mlplat.privilege
	FOR EACH ROW EXECUTE FUNCTION mlplat._invalidate();
ALTER TABLE mlplat.model ENABLE ALWAYS TRIGGER _invalidate;
ALTER TABLE mlplat.version ENABLE ALWAYS TRIGGER _invalidate;
ALTER TABLE mlplat.deployment ENABLE ALWAYS TRIGGER _invalidate;
ALTER TABLE mlplat.privilege ENABLE ALWAYS TRIGGER _invalidate;

/* 0 none, 1 predict, 2 read, 3 train, 4 deploy, 5 own. */
CREATE FUNCTION mlplat._privilege(model_id bigint) RETURNS int
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mlplat_privilege';
COMMENT ON FUNCTION mlplat._privilege(bigint) IS 'the current role''s privilege on a model, for the views';
GRANT EXECUTE ON FUNCTION mlplat._privilege(bigint) TO PUBLIC;

/* Which models are in shared memory: see mlplat.shared_cache_size. */
CREATE FUNCTION mlplat._shared_models()
RETURNS TABLE (database oid, checksum text, bytes bigint, users int, last_use timestamptz)
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mlplat_shared_models';
COMMENT ON FUNCTION mlplat._shared_models() IS
	'models that all sessions have in common where mlplat is preloaded: by database and SHA-256 of the image, the memory they take, and who uses them just now';
REVOKE ALL ON FUNCTION mlplat._shared_models() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mlplat._shared_models() TO pg_monitor;
