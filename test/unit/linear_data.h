/*-------------------------------------------------------------------------
 * linear_data.h
 *	  Data sets and checks for the tests of linear and logistic regression.
 *
 * Programs run in the top directory of the source.
 *-------------------------------------------------------------------------
 */
#ifndef LINEAR_DATA_H
#define LINEAR_DATA_H

#include "unit.h"

#include "ml/base/dense.h"
#include "ml/model/method.h"
#include "ml/model/model.h"

#define check(good, ...) unit_check(good, __FILE__, __LINE__, __VA_ARGS__)

/* Ends a test that cannot go on. */
#define fail(...) return (void) unit_check(false, __FILE__, __LINE__, __VA_ARGS__)

/* |a / b - 1|, and |a| where b is 0 */
static double
relative_error(double a, double b)
{
	return b == 0 ? fabs(a) : fabs(a / b - 1);
}

__attribute__((unused))
static double
worst_error(const double *a, const double *b, size_t n)
{
	double		worst = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		e = relative_error(a[i], b[i]);

		worst = e > worst || isnan(e) ? e : worst;
		if (isnan(worst))
			return INFINITY;
	}
	return worst;
}

static MlEnv
new_env(int threads)
{
	MlEnv		env;

	memset(&env, 0, sizeof(env));
	env.arena = ml_arena_create(0);
	env.threads = threads;
	env.pool = threads > 1 ? ml_pool_create(threads) : NULL;
	env.dense = ml_dense_table();
	return env;
}

static void
free_env(MlEnv *env)
{
	ml_pool_free(env->pool);
	ml_arena_free(env->arena);
}

/* Does any warning hold this text? */
__attribute__((unused))
static bool
warned(const MlEnv *env, const char *text)
{
	for (const MlWarning *w = env->warnings; w != NULL; w = w->next)
		if (strstr(w->text, text) != NULL)
			return true;
	return false;
}

/* A data set of p number columns named x1 .. xp; categories are added by set_category. */
static MlDataset *
new_dataset(MlEnv *env, size_t rows, int p, int n_classes)
{
	MlDataset  *data = ml_alloc0(env, 1, sizeof(MlDataset));
	MlSchema   *schema = ml_alloc0(env, 1, sizeof(MlSchema));
	MlDataColumn *columns = ml_alloc0(env, p, sizeof(MlDataColumn));
	const char **classes = ml_alloc0(env, n_classes + 1, sizeof(char *));

	schema->task = n_classes > 0 ? ML_TASK_CLASSIFICATION : ML_TASK_REGRESSION;
	schema->n_features = p;
	schema->features = ml_alloc0(env, p, sizeof(MlFeature));
	schema->target = "y";
	schema->target_type = n_classes > 0 ? "text" : "double precision";
	schema->target_logical = n_classes > 0 ? ML_LOGICAL_TEXT : ML_LOGICAL_FLOAT;
	schema->n_classes = n_classes;
	schema->classes = classes;
	for (int c = 0; c < n_classes; c++)
		classes[c] = ml_printf(env, "class %d", c);
	for (int f = 0; f < p; f++)
	{
		schema->features[f].name = schema->features[f].source_column = ml_printf(env, "x%d", f + 1);
		schema->features[f].type_name = "double precision";
		schema->features[f].logical = ML_LOGICAL_FLOAT;
		columns[f].number = ml_alloc0(env, rows, sizeof(double));
	}
	data->schema = schema;
	data->columns = columns;
	data->n_train = rows;
	data->y = ml_alloc0(env, rows, sizeof(double));
	return data;
}

static double *
column_of_data(MlDataset *data, int f)
{
	return (double *) data->columns[f].number;
}

static double *
target_of_data(MlDataset *data)
{
	return (double *) data->y;
}

/* Makes feature f a category with levels a, b, c ... and returns its codes. */
__attribute__((unused))
static int32_t *
set_category(MlEnv *env, MlDataset *data, int f, int levels)
{
	MlFeature  *feature = &data->schema->features[f];
	MlDataColumn *column = (MlDataColumn *) &data->columns[f];

	feature->kind = ML_FEATURE_CATEGORY;
	feature->logical = ML_LOGICAL_TEXT;
	feature->type_name = "text";
	feature->levels = levels;
	feature->level = ml_alloc0(env, levels, sizeof(char *));
	for (int i = 0; i < levels; i++)
		feature->level[i] = ml_printf(env, "l%d", i);
	column->number = NULL;
	column->code = ml_alloc0(env, data->n_train, sizeof(int32_t));
	return (int32_t *) column->code;
}

/* test/data/name.csv: all columns but the last are features; the target is the last, a number or one of words. */
__attribute__((unused))
static MlDataset *
read_csv(MlEnv *env, const char *name, int n_classes, const char *const *words)
{
	char		path[200];
	char		line[4096];
	FILE	   *file;
	size_t		rows = 0;
	int			p = 0;
	MlDataset  *data;

	snprintf(path, sizeof(path), "test/data/%s.csv", name);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	for (const char *s = line; *s != '\0'; s++)
		p += *s == ',';
	while (fgets(line, sizeof(line), file) != NULL)
		rows++;
	rewind(file);
	data = new_dataset(env, rows, p, n_classes);
	if (fgets(line, sizeof(line), file) == NULL)
		exit(2);
	for (size_t i = 0; i < rows && fgets(line, sizeof(line), file) != NULL; i++)
	{
		char	   *s = line;

		for (int f = 0; f < p; f++, s++)
			column_of_data(data, f)[i] = strtod(s, &s);
		s[strcspn(s, "\r\n")] = '\0';
		if (words == NULL)
			target_of_data(data)[i] = strtod(s, NULL);
		for (int c = 0; words != NULL && c < n_classes; c++)
			if (strcmp(s, words[c]) == 0)
				target_of_data(data)[i] = c;
	}
	fclose(file);
	return data;
}

/* Weights 0, 1, 2, 0, 1, 2 ... as in test/reference/linear.py. */
__attribute__((unused))
static void
weigh(MlEnv *env, MlDataset *data)
{
	double	   *w = ml_alloc0(env, data->n_train, sizeof(double));

	for (size_t i = 0; i < data->n_train; i++)
		w[i] = i % 3;
	data->weight = w;
}

/* A fit with parameters "name=value ..."; the status is that of the fit. */
__attribute__((unused))
static MlStatus
fit_with(MlEnv *env, const MlMethod *method, const MlDataset *data, const char *settings, void **model)
{
	MlParams   *params;
	char	   *text = ml_strdup(env, settings);

	if (ml_params_init(env, method->params, &params) != ML_OK)
		return env->error.status;
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
	{
		char	   *value = strchr(word, '=');
		char	   *end;
		double		number;
		MlStatus	status;

		*value++ = '\0';
		number = strtod(value, &end);
		if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
			status = ml_params_set_bool(env, params, word, *value == 't');
		else if (*end == '\0')
			status = ml_params_set_number(env, params, word, number);
		else
			status = ml_params_set_text(env, params, word, value);
		if (status != ML_OK)
			return status;
	}
	return method->fit(env, data, params, model);
}

/* Estimates and errors as plain arrays. */
__attribute__((unused))
static size_t
coefficients_of(MlEnv *env, const MlMethod *method, const MlSchema *schema, const void *model,
				MlCoefficient **rows, double *estimate, double *error)
{
	size_t		count = 0;

	if (method->coefficients(env, model, schema, rows, &count) != ML_OK)
		return 0;
	for (size_t i = 0; i < count; i++)
	{
		estimate[i] = (*rows)[i].estimate;
		error[i] = (*rows)[i].std_error;
	}
	return count;
}

/* The method's part of the image. */
__attribute__((unused))
static MlWriter
save_model(MlEnv *env, const MlMethod *method, const void *model)
{
	MlWriter	w;

	ml_writer_init(&w, env);
	method->save(model, &w);
	return w;
}

/* Loads every beginning of the bytes: each must fail and none may crash; then with each byte changed. */
__attribute__((unused))
static bool
load_is_total(const MlMethod *method, const MlSchema *schema, const uint8_t *bytes, size_t length)
{
	bool		good = true;
	double	   *x = calloc(schema->n_features, sizeof(double));
	double	   *out = calloc(schema->n_classes + 1, sizeof(double));

	for (size_t i = 0; i < 2 * length; i++)
	{
		MlEnv		env = new_env(1);
		MlReader	r;
		void	   *model = NULL;
		size_t		n = i < length ? i : length;
		uint8_t    *copy = malloc(n > 0 ? n : 1);

		memcpy(copy, bytes, n);
		if (i >= length)
			copy[i - length] ^= 0xFF;
		ml_reader_init(&r, &env, copy, n);
		if (method->load(&r, schema, &model) == ML_OK && ml_reader_end(&r) == ML_OK)
		{
			if (i < length)
				good = false;
			else
			{
				void	   *scratch = aligned_alloc(64, 64 * (1 + (method->scratch_size ? method->scratch_size(model) : 0) / 64 + 1));

				method->predict(model, x, out, scratch);
				free(scratch);
			}
		}
		free(copy);
		free_env(&env);
	}
	free(x);
	free(out);
	return good;
}

/* Do rows predicted together have the bits of rows predicted one by one? */
__attribute__((unused))
static bool
batch_is_single(const MlMethod *method, const MlDataset *data, const void *model)
{
	int			p = data->schema->n_features;
	int			k = data->schema->n_classes > 0 ? data->schema->n_classes : 1;
	double	   *x = calloc((size_t) p * ML_BATCH_ROWS, sizeof(double));
	double	   *row = calloc((size_t) p, sizeof(double));
	double	   *out = calloc((size_t) k * ML_BATCH_ROWS, sizeof(double));
	double	   *single = calloc((size_t) k, sizeof(double));
	bool		same = true;

	for (size_t start = 0; start < data->n_train; start += ML_BATCH_ROWS)
	{
		size_t		n = data->n_train - start < ML_BATCH_ROWS ? data->n_train - start : ML_BATCH_ROWS;

		for (size_t i = 0; i < n; i++)
			for (int f = 0; f < p; f++)
				x[(size_t) f * ML_BATCH_ROWS + i] = ml_dataset_value(data, f, start + i);
		same = same && method->predict_batch(model, x, n, out, NULL);
		for (size_t i = 0; i < n && same; i++)
		{
			ml_dataset_row(data, start + i, row);
			method->predict(model, row, single, NULL);
			same = memcmp(single, out + i * (size_t) k, (size_t) k * sizeof(double)) == 0;
		}
	}
	free(x);
	free(row);
	free(out);
	free(single);
	return same;
}

#endif							/* LINEAR_DATA_H */
