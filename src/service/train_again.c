/*-------------------------------------------------------------------------
 * train_again.c
 *	  The request of ml_retrain(): what was asked for an earlier version.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/model.h"
#include "catalog/pg_type.h"
#include "catalog/resolve.h"
#include "service/train_internal.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* Stored request and relation of a version; the newest one of the model for version_id 0. */
static bool
read_request(int64 model_id, int64 version_id, char **request, char **relation, int32 *version)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(model_id), Int64GetDatum(version_id)};
	bool		found;

	SPI_connect();
	found = ml_catalog_execute("SELECT v.request::pg_catalog.text, v.source_relation, v.version FROM mlplat.version v"
							   " WHERE v.model_id OPERATOR(pg_catalog.=) $1"
							   " AND ($2 OPERATOR(pg_catalog.=) 0 OR v.version_id OPERATOR(pg_catalog.=) $2)"
							   " ORDER BY v.version DESC LIMIT 1", 2, types, values, NULL, true) == 1;
	if (found)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		char	   *name = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		bool		null;

		*request = MemoryContextStrdup(context, SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		*relation = name == NULL ? NULL : MemoryContextStrdup(context, name);
		*version = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &null));
	}
	SPI_finish();
	return found;
}

MlTrainRequest *
ml_train_again(const char *reference, const char *source, const char *deploy)
{
	MlTrainRequest *request;
	MlResolved	resolved = {0};
	MlResolveResult result;
	int64		model_id;
	int32		version;
	char	   *name;
	char	   *alias;
	char	   *json;
	char	   *relation;

	ml_reference_parse(reference, &name, &alias, &version);
	model_id = ml_model_require(name, ML_PRIVILEGE_TRAIN);
	result = ml_resolve(reference, GetActiveSnapshot(), &resolved);
	if (result != ML_RESOLVED && (result != ML_NOT_DEPLOYED || alias != NULL || version != 0))
		ml_resolve_report(result, reference);
	if (!read_request(model_id, resolved.version_id, &json, &relation, &version))
		ml_resolve_report(ML_NO_VERSION, reference);

	request = ml_train_request_parse(json);
	request->model = name;
	request->deploy = pstrdup(deploy);
	request->parent_version = version;
	request->job = 0;
	request->rival_version = 0;

	/* The qualified name, for the search_path may be another one today. */
	if (source != NULL)
		request->source = pstrdup(source);
	else if (relation != NULL)
		request->source = relation;
	return request;
}
