/*-------------------------------------------------------------------------
 * test_gbdt_engines.c
 *	  Every engine gives the bits of the walk, on random forests and rows.
 *
 * Trees are grown by chance, so that they have shapes and thresholds that no fit
 * would give; rows hit thresholds exactly and miss them by one bit, and hold
 * missing values, zeros of both signs, numbers beyond float32 and unseen categories.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include <float.h>

#include "ml/algo/gbdt/engine.h"

#define ROWS 200

typedef struct Shape
{
	int			numbers;
	int			categories;
	int			levels;			/* of each category */
	int			trees;
	int			leaves;			/* at most */
	int			outputs;		/* 1: regression, 2: logistic, more: softmax */
	int			values;			/* 0: any doubles; 1: halves; 2: huge and tiny; 3: from 30 numbers */
} Shape;

static uint64_t draws;

static double
draw(void)
{
	return gbdt_random(99, draws++);
}

static int
draw_int(int n)
{
	return (int) (draw() * n);
}

static double
draw_number(int values)
{
	double		u = draw() * 2 - 1;

	switch (values)
	{
		case 1:
			return floor(u * 100) / 2;
		case 2:
			return ldexp(u, draw_int(1500) - 900);
		case 3:
			return floor(u * 15) / 7;
		default:
			return u;
	}
}

/* A tree of up to so many leaves: a random leaf is split again and again. */
static MlStatus
add_tree(MlEnv *env, MlGbdtForest *forest, const Shape *shape)
{
	MlGbdtNode	node[1024] = {0};
	uint16_t	set[4096];
	uint32_t	n = 1;
	uint32_t	n_set = 0;
	int			leaves = 1 + draw_int(shape->leaves);

	for (int i = 1; i < leaves; i++)
	{
		uint32_t	at;
		MlGbdtNode *split;

		do
			at = (uint32_t) draw_int((int) n);
		while (node[at].left != 0);
		split = &node[at];
		split->feature = draw_int(shape->numbers + shape->categories);
		split->category = split->feature >= shape->numbers;
		split->missing_left = draw() < 0.5;
		split->left = n;
		split->rows = 1;
		split->set_first = n_set;
		if (!split->category)
			split->value = draw_number(shape->values);
		else
			for (int c = draw_int(3); c < shape->levels && split->set_count < 32 && n_set < 4096; c += 1 + draw_int(1 + shape->levels / 8))
			{
				set[n_set++] = (uint16_t) c;
				split->set_count++;
			}
		n += 2;
	}
	for (uint32_t i = 0; i < n; i++)
		if (node[i].left == 0)
			node[i].value = gbdt_normal(5, draws++) / 10;
	return ml_gbdt_forest_add(env, forest, node, n, set, n_set);
}

static MlModel *
make_model(MlEnv *env, const Shape *shape, MlGbdtForest **result)
{
	MlDataset  *data = gbdt_data(env, 1, shape->numbers + shape->categories, shape->outputs == 1 ? 0 : shape->outputs);
	MlGbdtObjective objective = shape->outputs == 1 ? ML_GBDT_SQUARED : shape->outputs == 2 ? ML_GBDT_LOGISTIC : ML_GBDT_SOFTMAX;
	MlGbdtForest *forest;
	MlModel    *model;

	for (int c = 0; c < shape->categories; c++)
		gbdt_category(env, data, shape->numbers + c, shape->levels);
	CHECK_STATUS(env, ml_gbdt_forest_create(env, objective, data->schema, &forest), ML_OK);
	forest->scale = 1;
	for (int t = 0; t < shape->trees; t++)
		CHECK_STATUS(env, add_tree(env, forest, shape), ML_OK);
	CHECK_STATUS(env, ml_gbdt_forest_prepare(env, forest, data->schema), ML_OK);
	CHECK_STATUS(env, ml_model_make(env, &ml_method_gbdt, data->schema, forest, &model), ML_OK);
	*result = forest;
	return model;
}

/* An engine that is never made would pass every test. */
static bool
suits_masks(const Shape *shape)
{
	return shape->trees > 0 && shape->leaves <= 64 && shape->numbers <= 64 && shape->numbers + shape->categories <= 73 &&
		shape->categories <= 64;
}

/* A value that some split asks for, or its neighbour. */
static double
near_threshold(const MlGbdtForest *forest, int feature)
{
	for (int tries = 0; tries < 50 && forest->n_nodes > 0; tries++)
	{
		const MlGbdtNode *node = &forest->node[draw_int((int) forest->n_nodes)];
		double		t = node->value;

		if (node->left == 0 || node->feature != feature)
			continue;
		switch (draw_int(5))
		{
			case 0:
				return nextafter(t, INFINITY);
			case 1:
				return nextafter(t, -INFINITY);
			case 2:
				return (double) nextafterf((float) t, INFINITY);
			default:
				return t;
		}
	}
	return 0;
}

static void
draw_row(const MlGbdtForest *forest, const Shape *shape, bool missing, double *x)
{
	for (int f = 0; f < shape->numbers; f++)
	{
		static const double special[] = {0.0, -0.0, DBL_MAX, -DBL_MAX, 1e39, -1e39, 5e-324, -5e-324, 1e-40};
		double		u = draw();

		x[f] = missing && u < 0.2 ? NAN : u < 0.3 ? special[draw_int(9)] :
			u < 0.6 ? near_threshold(forest, f) : draw_number(shape->values);
		if (x[f] - x[f] != 0 && x[f] == x[f])
			x[f] = 0;			/* infinities are refused before */
	}
	for (int c = shape->numbers; c < shape->numbers + shape->categories; c++)
	{
		double		u = draw();

		x[c] = u < 0.1 ? NAN : u < 0.2 ? shape->levels : draw_int(shape->levels);
	}
}

/* Rows in blocks of all sizes. */
static void
predict_blocks(const MlModel *model, const double *x, int p, double *out)
{
	double	   *block = aligned_alloc(64, sizeof(double) * ML_BATCH_ROWS * (size_t) (p + 1));
	int			n;

	for (int start = 0; start < ROWS; start += n)
	{
		n = start == 0 ? ML_BATCH_ROWS : 1 + draw_int(ML_BATCH_ROWS);
		n = start + n > ROWS ? ROWS - start : n;
		for (int f = 0; f < p; f++)
			for (int i = 0; i < ML_BATCH_ROWS; i++)
				block[f * ML_BATCH_ROWS + i] = i < n ? x[(start + i) * p + f] : NAN;
		ml_model_predict_batch(model, block, (size_t) n, out + start * model->n_out);
	}
	free(block);
}

static void
check_shape(const char *what, Shape shape)
{
	static const MlSimdTier tiers[] = {ML_TIER_AVX2, ML_TIER_AVX512};
	MlEnv	   *env = unit_env(1);
	MlGbdtForest *forest;
	MlModel    *model = make_model(env, &shape, &forest);
	int			p = shape.numbers + shape.categories;
	double	   *x = ml_alloc(env, (size_t) (p + 1) * ROWS, sizeof(double));
	double	   *expected = ml_alloc(env, (size_t) model->n_out * ROWS, sizeof(double));
	double	   *got = ml_alloc(env, (size_t) model->n_out * ROWS, sizeof(double));
	size_t		bytes = (size_t) model->n_out * ROWS * sizeof(double);

	if (ml_simd_processor() == ML_TIER_AVX512)
		unit_check((forest->masks != NULL) == suits_masks(&shape), __FILE__, __LINE__, "%s: an engine", what);
	if (ml_simd_processor() >= ML_TIER_AVX2)
		unit_check((forest->blocks != NULL) == (shape.trees > 0 && shape.leaves <= 256),
				   __FILE__, __LINE__, "%s: an engine of blocks", what);
	for (int i = 0; i < ROWS; i++)
		draw_row(forest, &shape, i % 3 == 0, x + i * p);
	ml_simd_limit(ML_TIER_BASELINE);
	for (int i = 0; i < ROWS; i++)
		ml_model_predict(model, x + i * p, expected + i * model->n_out);
	for (size_t t = 0; t < sizeof(tiers) / sizeof(tiers[0]); t++)
	{
		ml_simd_limit(tiers[t]);
		for (int i = 0; i < ROWS; i++)
			ml_model_predict(model, x + i * p, got + i * model->n_out);
		unit_check(memcmp(got, expected, bytes) == 0, __FILE__, __LINE__, "%s, tier %d", what, tiers[t]);
		memset(got, 0, bytes);
		predict_blocks(model, x, p, got);
		unit_check(memcmp(got, expected, bytes) == 0, __FILE__, __LINE__, "%s, tier %d, in blocks", what, tiers[t]);
	}
	ml_simd_limit(ML_TIER_AVX512);
	unit_env_free(env);
}

static void
test_numbers(void)
{
	check_shape("any numbers", (Shape) {.numbers = 28, .trees = 100, .leaves = 31, .outputs = 2});
	check_shape("float32 thresholds", (Shape) {.numbers = 28, .trees = 100, .leaves = 31, .outputs = 2, .values = 1});
	check_shape("huge and tiny", (Shape) {.numbers = 5, .trees = 40, .leaves = 32, .outputs = 1, .values = 2});
	check_shape("few values", (Shape) {.numbers = 40, .trees = 33, .leaves = 31, .outputs = 1, .values = 3});
	check_shape("64 leaves", (Shape) {.numbers = 20, .trees = 50, .leaves = 64, .outputs = 1});
	check_shape("64 leaves, 64 numbers", (Shape) {.numbers = 64, .trees = 20, .leaves = 64, .outputs = 1, .values = 1});
	check_shape("more numbers", (Shape) {.numbers = 90, .trees = 30, .leaves = 20, .outputs = 1});
	check_shape("200 numbers", (Shape) {.numbers = 200, .trees = 60, .leaves = 31, .outputs = 1});
	check_shape("255 leaves", (Shape) {.numbers = 10, .trees = 20, .leaves = 255, .outputs = 2});
	check_shape("400 leaves", (Shape) {.numbers = 3, .trees = 9, .leaves = 400, .outputs = 1});
	check_shape("many thresholds of one number", (Shape) {.numbers = 1, .trees = 100, .leaves = 31, .outputs = 1, .values = 2});
	check_shape("one tree", (Shape) {.numbers = 3, .trees = 1, .leaves = 7, .outputs = 1});
	check_shape("leaves only", (Shape) {.numbers = 3, .trees = 20, .leaves = 1, .outputs = 1});
	check_shape("no tree", (Shape) {.numbers = 3, .trees = 0, .leaves = 1, .outputs = 2});
	check_shape("softmax", (Shape) {.numbers = 9, .trees = 35, .leaves = 12, .outputs = 7});
}

static void
test_categories(void)
{
	check_shape("categories", (Shape) {.numbers = 4, .categories = 4, .levels = 20, .trees = 100, .leaves = 31, .outputs = 2});
	check_shape("only categories", (Shape) {.categories = 3, .levels = 7, .trees = 50, .leaves = 32, .outputs = 1});
	check_shape("64 leaves", (Shape) {.numbers = 3, .categories = 3, .levels = 300, .trees = 40, .leaves = 64, .outputs = 1, .values = 1});
	check_shape("5,000 levels", (Shape) {.numbers = 3, .categories = 2, .levels = 5000, .trees = 60, .leaves = 31, .outputs = 2});
	check_shape("60,000 levels", (Shape) {.numbers = 3, .categories = 1, .levels = 60000, .trees = 50, .leaves = 31, .outputs = 1});
	check_shape("70 categories", (Shape) {.numbers = 3, .categories = 70, .levels = 3, .trees = 30, .leaves = 31, .outputs = 1});
	check_shape("255 leaves", (Shape) {.numbers = 3, .categories = 3, .levels = 100, .trees = 20, .leaves = 255, .outputs = 1});
	check_shape("softmax", (Shape) {.numbers = 2, .categories = 2, .levels = 12, .trees = 40, .leaves = 20, .outputs = 5});
}

int
main(void)
{
	test_numbers();
	test_categories();
	return unit_done();
}
