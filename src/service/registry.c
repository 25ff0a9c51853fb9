/*-------------------------------------------------------------------------
 * registry.c
 *	  Deploy, roll back, drop, rename, grant.
 *
 * Each begins with ml_model_lock(): rights are checked, the model's row is
 * locked, so what follows is not overtaken by another session.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

#include "catalog/catalog.h"
#include "catalog/deployment.h"
#include "catalog/function.h"
#include "catalog/model.h"
#include "catalog/resolve.h"
#include "catalog/version.h"
#include "service/registry.h"

/* Name and version of a reference and a separate version argument, which must not contradict each other. */
static void
split_reference(const char *reference, int32 argument, char **name, char **alias, int32 *version)
{
	ml_reference_parse(reference, name, alias, version);
	if (argument == 0)
		return;
	if (argument < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version must be 1 or more, not %d", argument)));
	if (*alias != NULL || (*version != 0 && *version != argument))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" already names a version", reference),
				 errhint("Give either \"model@version\" or the model and a version.")));
	*version = argument;
}

/* The version that is meant; 42704 when there is none. */
static int64
find_version(int64 model_id, const char *name, const char *alias, int32 *version)
{
	int64		version_id;

	if (alias != NULL)
	{
		version_id = ml_deployment_read(model_id, alias);
		if (version_id == 0)
			ml_resolve_report(ML_NO_VERSION, psprintf("%s@%s", name, alias));
		*version = ml_version_number(version_id);
	}
	else if (*version != 0)
	{
		if (!ml_version_find(model_id, *version, &version_id))
			ml_resolve_report(ML_NO_VERSION, psprintf("%s@%d", name, *version));
	}
	else if (!ml_version_latest(model_id, &version_id, version))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no version", name),
				 errhint("Train one with ml_train().")));
	return version_id;
}

int32
ml_registry_deploy(const char *reference, int32 version, const char *alias, Jsonb *require, const char *note)
{
	char	   *name;
	char	   *from_alias;
	int32		number;
	int64		model_id;
	int64		version_id;

	split_reference(reference, version, &name, &from_alias, &number);
	ml_alias_check_name(alias);
	model_id = ml_model_lock(name, ML_PRIVILEGE_DEPLOY);
	version_id = find_version(model_id, name, from_alias, &number);
	if (require != NULL)
		ml_requirement_check(require, name, version_id, number);
	ml_deployment_set(model_id, alias, version_id, number, "deploy", note);
	return number;
}

int32
ml_registry_rollback(const char *model, const char *alias)
{
	int64		model_id;
	int64		version_id;
	int32		previous;

	ml_alias_check_name(alias);
	model_id = ml_model_lock(model, ML_PRIVILEGE_DEPLOY);
	if (ml_deployment_read(model_id, alias) == 0)
		ml_resolve_report(strcmp(alias, ML_PRODUCTION) == 0 ? ML_NOT_DEPLOYED : ML_NO_VERSION, psprintf("%s@%s", model, alias));
	previous = ml_deployment_previous(model_id, alias);
	if (previous == 0 || !ml_version_find(model_id, previous, &version_id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no earlier version to which \"%s\" of model \"%s\" could be rolled back", alias, model),
				 errhint("The view ml_deployments shows the history; ml_deploy() can choose any version.")));
	ml_deployment_set(model_id, alias, version_id, previous, "rollback", NULL);
	return previous;
}

/* 2BP01 when functions use the model (or, when version_id is not 0, are pinned to the version). */
static void
check_functions(int64 model_id, int64 version_id, const char *what)
{
	List	   *functions = ml_function_users(model_id, version_id, false);

	if (functions != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop %s because function %s uses it", what, ((MlFunctionUse *) linitial(functions))->function),
				 list_length(functions) > 1 ? errdetail_plural("%d more function uses it.", "%d more functions use it.",
															   list_length(functions) - 1, list_length(functions) - 1) : 0,
				 errhint("Drop the function first.")));
}

static void
drop_version(int64 model_id, const char *name, int64 version_id, int32 version)
{
	char	   *alias = ml_deployment_alias_of(version_id);

	if (alias != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop version %d of model \"%s\" because alias \"%s\" points to it", version, name, alias),
				 errhint("Deploy another version under that alias, or drop the alias with ml_drop_alias().")));
	check_functions(model_id, version_id, psprintf("version %d of model \"%s\"", version, name));
	ml_version_delete(version_id);
}

void
ml_registry_drop(const char *reference, int32 version)
{
	char	   *name;
	char	   *alias;
	int32		number;
	int64		model_id;

	split_reference(reference, version, &name, &alias, &number);
	model_id = ml_model_lock(name, ML_PRIVILEGE_OWN);
	if (number != 0 || alias != NULL)
	{
		int64		version_id = find_version(model_id, name, alias, &number);

		drop_version(model_id, name, version_id, number);
		return;
	}
	check_functions(model_id, 0, psprintf("model \"%s\"", name));
	ml_model_delete(model_id);
}

void
ml_registry_rename(const char *model, const char *new_name)
{
	int64		model_id;

	ml_model_check_name(new_name);
	model_id = ml_model_lock(model, ML_PRIVILEGE_OWN);
	ml_model_rename(model_id, new_name);
}

void
ml_registry_drop_alias(const char *model, const char *alias)
{
	int64		model_id;

	ml_alias_check_name(alias);
	model_id = ml_model_lock(model, ML_PRIVILEGE_DEPLOY);
	if (!ml_deployment_drop(model_id, alias))
		ml_resolve_report(ML_NO_VERSION, psprintf("%s@%s", model, alias));
}

static void
check_role(const char *role)
{
	if (role == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("role must not be null")));
	if (strcmp(role, "public") != 0)
		(void) get_role_oid(role, false);	/* 42704 */
}

void
ml_registry_grant(const char *model, const char *role, const char *privilege)
{
	MlPrivilege what = ml_privilege_parse(privilege);
	int64		model_id = ml_model_lock(model, ML_PRIVILEGE_OWN);

	check_role(role);
	ml_privilege_grant(model_id, role, what);
}

void
ml_registry_revoke(const char *model, const char *role, const char *privilege)
{
	MlPrivilege what = ml_privilege_parse(privilege);
	int64		model_id = ml_model_lock(model, ML_PRIVILEGE_OWN);

	/* A role that was dropped may still stand in a grant, so only an unknown one without a grant is an error. */
	if (role == NULL || ml_privilege_revoke(model_id, role, what) == 0)
		check_role(role);
}

bool
ml_registry_has_privilege(const char *role, const char *model, const char *privilege)
{
	MlPrivilege what = ml_privilege_parse(privilege);
	Oid			oid = InvalidOid;
	int64		model_id;

	check_role(role);
	ml_model_check_name(model);
	if (strcmp(role, "public") != 0)
		oid = get_role_oid(role, false);

	/*
	 * No right and no model are the same answer, so nobody learns the names of models;
	 * and rights of other roles are shown to who may see the model.
	 */
	model_id = ml_model_find(model, NULL);
	if (model_id == 0)
		return false;
	if (ml_model_privilege(model_id, GetUserId(), NULL) == ML_PRIVILEGE_NONE)
		return false;
	return ml_model_privilege(model_id, oid, NULL) >= what;
}
