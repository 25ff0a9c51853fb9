/*-------------------------------------------------------------------------
 * test_params.c
 *	  Hyper-parameters and algorithm names, and what their errors say.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/model/method.h"

enum
{
	DEPTH, RATE, FAST, LOSS, ALPHA
};

static const MlParam table[] = {
	{.name = "max_depth", .type = ML_PARAM_INT, .default_number = 6, .minimum = 1, .maximum = 100, .aliases = "depth|tree_depth"},
	{.name = "learning_rate", .type = ML_PARAM_DOUBLE, .default_number = 0.1, .minimum = 0, .maximum = 1, .open_minimum = true, .aliases = "eta"},
	{.name = "fast", .type = ML_PARAM_BOOL, .default_number = 1},
	{.name = "loss", .type = ML_PARAM_CHOICE, .default_choice = "l2", .choices = "l1|l2|huber"},
	{.name = "alpha", .type = ML_PARAM_DOUBLE, .default_number = 0, .minimum = 0, .maximum = INFINITY},
	{NULL}
};

static const MlParam text_table[] = {
	{.name = "offset", .type = ML_PARAM_TEXT, .aliases = "base"},
	{NULL}
};

static const MlParam list_table[] = {
	{.name = "layers", .type = ML_PARAM_LIST, .minimum = 1, .maximum = 100, .default_choice = "8,4"},
	{.name = "start", .type = ML_PARAM_MODEL},
	{NULL}
};

static MlParams *
fresh(MlEnv *env)
{
	MlParams   *p = NULL;

	CHECK_STATUS(env, ml_params_init(env, table, &p), ML_OK);
	return p;
}

static void
test_values(MlEnv *env)
{
	MlParams   *p = fresh(env);

	CHECK(p->count == 5 && ml_param_int(p, DEPTH) == 6 && ml_param_double(p, RATE) == 0.1 && ml_param_bool(p, FAST));
	CHECK(ml_param_int(p, LOSS) == 1 && !p->given[DEPTH]);
	CHECK_STATUS(env, ml_params_set_number(env, p, "tree_depth", 9), ML_OK);
	CHECK_STATUS(env, ml_params_set_number(env, p, "eta", 1), ML_OK);
	CHECK_STATUS(env, ml_params_set_bool(env, p, "fast", false), ML_OK);
	CHECK_STATUS(env, ml_params_set_text(env, p, "loss", "huber"), ML_OK);
	CHECK_STATUS(env, ml_params_set_number(env, p, "alpha", 1e300), ML_OK);
	CHECK(ml_param_int(p, DEPTH) == 9 && ml_param_double(p, RATE) == 1 && !ml_param_bool(p, FAST) && ml_param_int(p, LOSS) == 2 && p->given[DEPTH]);
	CHECK_STATUS(env, ml_params_set_number(env, p, "depth", 3), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "\"max_depth\" is given twice");
}

static void
test_refused(MlEnv *env)
{
	MlParams   *p = fresh(env);

	CHECK_STATUS(env, ml_params_set_number(env, p, "max_depth", 0), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "parameter \"max_depth\" must be an integer of at least 1 and at most 100, not 0");
	CHECK_STATUS(env, ml_params_set_number(env, p, "max_depth", 2.5), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_number(env, p, "max_depth", 2147483647), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_number(env, p, "max_depth", NAN), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_number(env, p, "learning_rate", 0), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "a number above 0 and at most 1, not 0");
	CHECK_STATUS(env, ml_params_set_number(env, p, "alpha", INFINITY), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_number(env, p, "alpha", -1e-300), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_number(env, p, "fast", 1), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "true or false");
	CHECK_STATUS(env, ml_params_set_number(env, p, "loss", 1), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_bool(env, p, "max_depth", true), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_text(env, p, "max_depth", "NaN"), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "not \"NaN\"");
	CHECK_STATUS(env, ml_params_set_text(env, p, "loss", "l3"), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "one of l1|l2|huber");
	CHECK_STATUS(env, ml_params_set_text(env, p, "loss", "l1|l2"), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_text(env, p, "loss", ""), ML_BAD_PARAM);
	CHECK(!p->given[DEPTH] && !p->given[LOSS] && ml_param_int(p, DEPTH) == 6);
}

static void
test_unknown(MlEnv *env)
{
	MlParams   *p = fresh(env);

	CHECK_STATUS(env, ml_params_set_number(env, p, "learnig_rate", 1), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "unknown parameter \"learnig_rate\"");
	CHECK_MESSAGE(env, "Did you mean \"learning_rate\"? Valid parameters are: max_depth, learning_rate, fast, loss, alpha, task.");
	CHECK_STATUS(env, ml_params_set_bool(env, p, "zzzzzzzzzzz", true), ML_BAD_PARAM);
	CHECK(strstr(env->error.hint, "Did you mean") == NULL);
	CHECK_STATUS(env, ml_params_set_bool(env, p, "", true), ML_BAD_PARAM);
}

/* A list that no hint could hold is not begun: where the whole one stands is said instead. */
static void
test_unknown_of_many(MlEnv *env)
{
	MlParam		many[41] = {{0}};
	char		names[40][32];
	MlParams   *p;

	for (int i = 0; i < 40; i++)
	{
		many[i] = table[DEPTH];
		snprintf(names[i], sizeof(names[i]), "parameter_number_%d", i);
		many[i].name = names[i];
		many[i].aliases = NULL;
	}
	CHECK_STATUS(env, ml_params_init(env, many, &p), ML_OK);
	p->algorithm = "large";
	CHECK_STATUS(env, ml_params_set_number(env, p, "parameter_numbr_7", 1), ML_BAD_PARAM);
	CHECK_TEXT(env->error.hint, "Did you mean \"parameter_number_7\"? SELECT * FROM ml_params('large') shows all parameters.");
	CHECK_STATUS(env, ml_params_set_number(env, p, "zzzzzzzzzzz", 1), ML_BAD_PARAM);
	CHECK_TEXT(env->error.hint, "SELECT * FROM ml_params('large') shows all parameters.");
}

static void
test_shown(MlEnv *env)
{
	CHECK_TEXT(ml_param_default(env, &table[RATE]), "0.1");
	CHECK_TEXT(ml_param_default(env, &table[FAST]), "true");
	CHECK_TEXT(ml_param_default(env, &table[LOSS]), "l2");
	CHECK_TEXT(ml_param_minimum(env, &table[DEPTH]), "1");
	CHECK_TEXT(ml_param_maximum(env, &table[ALPHA]), "");
	CHECK_TEXT(ml_param_minimum(env, &table[FAST]), "");
	CHECK_TEXT(ml_param_type_name(&table[DEPTH]), "integer");
	CHECK_TEXT(ml_param_type_name(&table[LOSS]), "l1|l2|huber");
}

static void
test_nearest(void)
{
	static const char *const words[] = {"num_leaves", "num_iterations", "lambda_l2"};

	CHECK_TEXT(ml_nearest("num_leafs", words, 3), "num_leaves");
	CHECK_TEXT(ml_nearest("NUM_LEAVES", words, 3), "num_leaves");
	CHECK_TEXT(ml_nearest("unm_leaves", words, 3), "num_leaves");
	CHECK_TEXT(ml_nearest("iterations", words, 3), "num_iterations");
	CHECK(ml_nearest("xyz", words, 3) == NULL && ml_nearest("", words, 0) == NULL);
}

/* The table of every algorithm keeps the rules that others rely on. */
static void
test_methods(MlEnv *env)
{
	const MlMethod *method;

	for (const MlMethod *const *m = ml_methods; *m != NULL; m++)
	{
		MlParams   *p;

		CHECK(ml_method_find((*m)->name) == *m && (*m)->tasks != 0 && (*m)->format > 0);
		CHECK((*m)->summary != NULL && (*m)->description != NULL);
		CHECK(ml_task_has_target((*m)->tasks) || ((*m)->n_outputs != NULL && ((*m)->tasks & (ML_TASK_REGRESSION | ML_TASK_CLASSIFICATION)) == 0));
		CHECK((*m)->n_figures <= ML_MAX_FIGURES && ((*m)->n_coordinates == NULL) == ((*m)->coordinates == NULL));
		CHECK((*m)->fit && (*m)->save && (*m)->load && (*m)->predict && (*m)->predict_cost && (*m)->memory);
		CHECK_STATUS(env, ml_params_init(env, (*m)->params, &p), ML_OK);
		for (int i = 0; i < p->count; i++)
		{
			const MlParam *param = &(*m)->params[i];
			bool		ok = param->description != NULL && strcmp(param->name, "task") != 0;

			if (param->type == ML_PARAM_DOUBLE && param->default_choice != NULL)
				ok &= ml_params_set_text(env, p, param->name, param->default_choice) == ML_OK && p->number[i] < param->minimum;
			else if (param->type == ML_PARAM_INT || param->type == ML_PARAM_DOUBLE)
				ok &= ml_params_set_number(env, p, param->name, param->default_number) == ML_OK;
			for (int j = 0; j < i; j++)
				ok &= strcmp(param->name, (*m)->params[j].name) != 0;
			unit_check(ok, __FILE__, __LINE__, "%s.%s is described and its default is valid %s", (*m)->name, param->name, env->error.message);
			env->error.status = ML_OK;
		}
	}
	CHECK_STATUS(env, ml_method_get(env, ml_methods[0]->name, &method), ML_OK);
	CHECK_STATUS(env, ml_method_get(env, "linear_regresion", &method), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "Did you mean \"linear_regression\"?");
	CHECK_STATUS(env, ml_method_get(env, "%s%n", &method), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "unknown algorithm \"%s%n\"");
}

/* Any text is taken; what is shown as the default reads back as none. */
static void
test_text(MlEnv *env)
{
	MlParams   *p = NULL;

	CHECK_STATUS(env, ml_params_init(env, text_table, &p), ML_OK);
	unit_check(strcmp(ml_param_text(p, 0), "") == 0, __FILE__, __LINE__, "a text is empty by default");
	CHECK_STATUS(env, ml_params_set_text(env, p, "base", "a|b c"), ML_OK);
	unit_check(strcmp(ml_param_text(p, 0), "a|b c") == 0 && p->given[0], __FILE__, __LINE__, "a text is what was given");
	CHECK_STATUS(env, ml_params_init(env, text_table, &p), ML_OK);
	CHECK_STATUS(env, ml_params_set_text(env, p, "offset", ml_param_default(env, &text_table[0])), ML_OK);
	unit_check(strcmp(ml_param_text(p, 0), "") == 0, __FILE__, __LINE__, "the default as shown is none");
	CHECK_STATUS(env, ml_params_set_number(env, p, "offset", 1), ML_BAD_PARAM);
	unit_check(strcmp(ml_param_type_name(&text_table[0]), "text") == 0, __FILE__, __LINE__, "its type is text");
}

static void
test_list(MlEnv *env)
{
	const double values[] = {3, 100, 0.5, 101};
	const double many[ML_PARAM_LIST_MAX + 1] = {0};
	MlParams   *p = NULL;
	const int64_t *list;
	int			count;

	CHECK_STATUS(env, ml_params_init(env, list_table, &p), ML_OK);
	list = ml_param_list(p, 0, &count);
	CHECK(count == 2 && list[0] == 8 && list[1] == 4 && !p->given[0]);
	CHECK_TEXT(ml_param_default(env, &list_table[0]), "[8,4]");
	CHECK_TEXT(ml_param_maximum(env, &list_table[0]), "100");
	CHECK_TEXT(ml_param_type_name(&list_table[0]), "integer[]");
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", values + 2, 1), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "a list of integers, each of at least 1 and at most 100, not 0.5");
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", values + 3, 1), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", many, ML_PARAM_LIST_MAX + 1), ML_BAD_PARAM);
	CHECK_MESSAGE(env, "64 elements at most");
	CHECK_STATUS(env, ml_params_set_text(env, p, "layers", "8"), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_list(env, p, "start", values, 1), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", values, 2), ML_OK);
	list = ml_param_list(p, 0, &count);
	CHECK(count == 2 && list[0] == 3 && list[1] == 100 && p->given[0]);
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", values, 2), ML_BAD_PARAM);
	CHECK_STATUS(env, ml_params_init(env, list_table, &p), ML_OK);
	CHECK_STATUS(env, ml_params_set_number(env, p, "layers", 7), ML_OK);
	list = ml_param_list(p, 0, &count);
	CHECK(count == 1 && list[0] == 7);
	CHECK_STATUS(env, ml_params_init(env, list_table, &p), ML_OK);
	CHECK_STATUS(env, ml_params_set_list(env, p, "layers", values, 0), ML_OK);
	list = ml_param_list(p, 0, &count);
	CHECK(count == 0);
	CHECK(ml_params_model(p) == NULL);
	CHECK_STATUS(env, ml_params_set_text(env, p, "start", "churn@3"), ML_OK);
	CHECK_TEXT(ml_params_model(p), "churn@3");
}

int
main(void)
{
	MlEnv	   *env = unit_env(1);

	test_values(env);
	test_refused(env);
	test_unknown(env);
	test_unknown_of_many(env);
	test_shown(env);
	test_text(env);
	test_list(env);
	test_nearest();
	test_methods(env);
	unit_env_free(env);
	return unit_done();
}
