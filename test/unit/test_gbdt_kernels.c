/*-------------------------------------------------------------------------
 * test_gbdt_kernels.c
 *	  Vector kernels of gbdt against their scalar twins: the same bits on every
 *	  tier, on random and on hostile input, at every length around eight.
 *-------------------------------------------------------------------------
 */
#include "gbdt_data.h"

#include "ml/algo/gbdt/grow_internal.h"
#include "ml/base/elementary.h"
#include "ml/base/lanes.h"
#include "ml/base/simd.h"

#define TIERS 3
#define ROWS 4099

static const size_t lengths[] = {1, 2, 7, 8, 9, 15, 16, 17, 127, 128, 129, 1000, 4096, ROWS};

/* Values that scores may have: near zero, saturated, where exp() becomes denormal and where it vanishes. */
static double
hostile(size_t i)
{
	static const double special[] = {
		0, -0.0, 1, -1, 36.7, -36.7, 37, 700, -700, 708.3, -708.5, 709.8, 720, -720, 744, -744.9, 745.1332191019411, 745.2, 746, -747,
		1e6, -1e6, 1e300, -1e300, INFINITY, -INFINITY, 5e-324, 1e-310, 0x1p-60, -0x1p-60
	};
	size_t		n = sizeof(special) / sizeof(special[0]);

	if (i % 3 == 0)
		return special[i / 3 % n];
	return gbdt_normal(1, i) * (i % 3 == 1 ? 3 : 300);
}

static void
test_sigmoid(void)
{
	int			wrong = 0;

	for (size_t i = 0; i < 40000; i += ML_LANES)
	{
		double		x[ML_LANES];
		double		got[ML_LANES];
		MlLanes		v;

		for (size_t j = 0; j < ML_LANES; j++)
			x[j] = hostile(i + j);
		ml_lanes_load(&v, x);
		ml_lanes_sigmoid(&v, &v);
		ml_lanes_store(got, &v);
		for (size_t j = 0; j < ML_LANES; j++)
		{
			double		want = ml_sigmoid(x[j]);

			wrong += memcmp(&want, &got[j], sizeof(want)) != 0;
		}
	}
	CHECK(wrong == 0);
}

static void
test_logistic(void)
{
	static double score[ROWS];
	static double y[ROWS];
	static double weight[ROWS];
	static double g[TIERS][ROWS + 1];
	double		loss[TIERS];
	double		sum_g[TIERS];

	for (size_t i = 0; i < ROWS; i++)
	{
		score[i] = hostile(i);
		y[i] = gbdt_random(2, i) < 0.4;
		weight[i] = i % 11 == 0 ? 0 : gbdt_random(3, i) * 5;
	}
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
	{
		for (int weighted = 0; weighted <= 1; weighted++)
		{
			size_t		n = lengths[l];
			double		want = 0;
			double		want_g = 0;
			int			wrong = 0;

			for (int t = 0; t < TIERS; t++)
			{
				ml_simd_limit((MlSimdTier) t);
				g[t][n] = 77;
				ml_gbdt_logistic_rows(score, y, weighted ? weight : NULL, n, g[t], &loss[t], &sum_g[t]);
				wrong += g[t][n] != 77;		/* nothing behind the end is touched */
				wrong += memcmp(g[0], g[t], n * sizeof(double)) != 0 || memcmp(&loss[0], &loss[t], sizeof(double)) != 0;
				wrong += memcmp(&sum_g[0], &sum_g[t], sizeof(double)) != 0;
			}
			for (size_t i = 0; i < n; i++)
			{
				double		w = weighted ? weight[i] : 1;
				double		p = ml_sigmoid(y[i] > 0.5 ? -score[i] : score[i]);

				wrong += g[0][i] != (y[i] > 0.5 ? -(p * w) : p * w);
				want_g += p * w;
				want -= w * ml_log(1 - p < 1e-15 ? 1e-15 : 1 - p);
			}
			CHECK(wrong == 0);
			CHECK_CLOSE(loss[0], want, 1e-12);
			CHECK_CLOSE(sum_g[0], want_g, 1e-12);
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
}

static void
test_quantise(void)
{
	static double g[ROWS];
	static double weight[ROWS];
	static int64_t exact[TIERS][ROWS + 8] __attribute__((aligned(64)));
	static int32_t packed[TIERS][ROWS + 8] __attribute__((aligned(64)));
	static const MlGbdtObjective objectives[] = {ML_GBDT_SQUARED, ML_GBDT_ABSOLUTE, ML_GBDT_LOGISTIC, ML_GBDT_SOFTMAX};
	static const MlGbdtScale scales[3] = {
		{.count_bits = 13, .to_g = 0x1p29, .to_h = 0x1p30},
		{.packed = true, .count_bits = 13, .to_g = 0x1p14, .to_h = 0x1p13},
		{.packed = true, .unit_h = true, .count_bits = 13, .to_g = 0x1p30, .to_h = 1}
	};

	for (size_t i = 0; i < ROWS; i++)
	{
		weight[i] = i % 7 == 0 ? 0 : gbdt_random(4, i);
		g[i] = i % 5 == 0 ? (i % 2 ? weight[i] : -weight[i]) : weight[i] * (2 * gbdt_random(5, i) - 1);
	}
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
	{
		for (int c = 0; c < 24; c++)
		{
			const MlGbdtScale scale = scales[c / 8];
			MlGbdtLoss	loss = {.objective = objectives[c / 2 % 4], .weight = c % 2 ? weight : NULL, .hessian_factor = c / 2 % 4 == 3 ? 1.5 : 1};
			size_t		begin = c % 8 < 4 ? lengths[l] / 3 : lengths[l] / 3 / 8 * 8;	/* only these can be written around the caches */
			size_t		end = lengths[l];
			MlGbdtSum	sum[TIERS];
			MlGbdtSum	want = {0, 0};
			int			wrong = 0;

			if (scale.unit_h && (loss.weight != NULL || !ml_gbdt_identity(loss.objective)))
				continue;
			for (int t = 0; t < TIERS; t++)
			{
				ml_simd_limit((MlSimdTier) t);
				sum[t] = (MlGbdtSum) {5, 0};
				exact[t][end] = packed[t][end] = 77;
				ml_gbdt_quantise_rows(&loss, &scale, g, begin, end, &(MlGbdtGradients) {exact[t], packed[t], t != 1}, &sum[t]);
				wrong += exact[t][end] != 77 || packed[t][end] != 77;
			}
			want[0] = 5;
			for (size_t i = begin; i < end; i++)
			{
				int32_t		int_g = (int32_t) lrint(g[i] * scale.to_g);
				uint32_t	int_h = (uint32_t) lrint(ml_gbdt_hessian(&loss, i, g[i], ml_gbdt_weight(&loss, i)) * scale.to_h);

				MlGbdtSum	row = {int_g, (int64_t) ((uint64_t) int_h << scale.count_bits) + 1};

				want += row;
				for (int t = 0; t < TIERS; t++)
				{
					MlGbdtSum	got = ml_gbdt_sum_of_row(&scale, &(MlGbdtGradients) {exact[t], packed[t], false}, i);

					wrong += got[0] != row[0] || got[1] != row[1];
				}
			}
			for (int t = 0; t < TIERS; t++)
				wrong += sum[t][0] != want[0] || sum[t][1] != want[1];
			CHECK(wrong == 0);
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
}

/* A row's integers: random ones, or (extreme 1 and 2) the largest that its form can hold, of one sign. */
static void
store_histogram_row(const MlGbdtScale *scale, size_t i, int extreme, const MlGbdtGradients *to)
{
	int			bits = scale->unit_h || !scale->packed ? 30 : ML_GBDT_PACKED_G_BITS;
	int64_t		g = INT64_C(1) << bits;
	int64_t		h = scale->unit_h ? 1 : scale->packed ? 1 << ML_GBDT_PACKED_H_BITS : INT64_C(1) << 28;

	if (extreme == 2)
		g = -g;
	else if (extreme == 0)
		g = (int64_t) ((gbdt_random(30, i) * 2 - 1) * (double) g);
	if (extreme == 0 && !scale->unit_h)
		h = (int64_t) (gbdt_random(31, i) * ((double) h + 1));
	ml_gbdt_store_row(scale, g, h, to, i);
}

/* Bins of column j: every third has all that a byte can say; the others are those that share one. */
static uint32_t
histogram_bins(int j)
{
	static const uint32_t few[] = {3, 2, 2, 16, 16, 7, 20, 5, 128, 2, 129, 64};

	return j % 3 == 0 ? 256 : few[(j / 3 * 2 + j % 3 - 1) % 12];
}

/* Columns of n rows, as rows of bytes; "joint": several in a byte. */
static MlGbdtBins *
histogram_columns(MlEnv *env, size_t n, int columns, bool joint, bool extreme)
{
	MlGbdtBins *bins = ml_alloc0(env, 1, sizeof(MlGbdtBins));
	const uint8_t **present = ml_alloc0(env, (size_t) columns, sizeof(uint8_t *));
	uint32_t   *entries = ml_alloc(env, (size_t) columns, sizeof(uint32_t));
	size_t		joining_rows = ml_gbdt_joining_rows;
	uint8_t    *to = ml_alloc(env, n, sizeof(uint8_t));

	*bins = (MlGbdtBins) {.n = n, .n_stored = columns, .stored = ml_alloc(env, (size_t) columns, sizeof(uint8_t *))};
	for (int j = 0; j < columns; j++)
	{
		uint8_t    *column = ml_alloc(env, n, sizeof(uint8_t));

		entries[j] = histogram_bins(j);
		for (size_t i = 0; i < n; i++)
			column[i] = (uint8_t) (j % 3 == 1 ? i % entries[j] : extreme || j == 0 ? entries[j] - 1 : gbdt_random(32 + (uint64_t) j, i) * entries[j]);
		bins->stored[j] = column;
	}
	ml_gbdt_joining_rows = joint ? 0 : SIZE_MAX;
	CHECK(ml_gbdt_join(env, present, entries, bins) == ML_OK);
	ml_gbdt_joining_rows = joining_rows;
	CHECK(joint && columns > 4 ? bins->n_bytes < columns : joint || bins->n_bytes == columns);
	bins->stride = (size_t) (bins->n_bytes + 7) / 8 * 8;
	bins->row_major = ml_alloc(env, n, bins->stride);
	for (int b = 0; b < bins->n_bytes; b++)
	{
		ml_gbdt_byte_rows(bins, &bins->byte[b], 0, n, to);
		for (size_t i = 0; i < n; i++)
			bins->row_major[i * bins->stride + (size_t) b] = to[i];
	}
	return bins;
}

/* The bytes in use into the grower; what is wanted of their columns, row by row, into want[]. */
static void
sum_rows_of(const MlGbdtBins *bins, bool listed, MlGbdtGrower *grower, size_t n, MlGbdtSum *want)
{
	for (int b = 0; b < bins->n_bytes; b++)
	{
		const MlGbdtByte *byte = &bins->byte[b];

		if (listed && b % 4 == 2)
			continue;
		grower->byte[grower->n_bytes++] = b;
		for (int j = byte->first; j < byte->first + byte->members; j++)
			for (size_t i = 0; i < n; i++)
				want[bins->offset[j] + bins->stored[j][grower->rows[0][i]]] += ml_gbdt_sum_of_row(&grower->scale, &grower->gradients, grower->rows[0][i]);
	}
}

/* Histograms of n rows of so many columns, some of them in use, against sums row by row. */
static void
check_histogram(size_t n, int columns, bool listed, bool joint, const MlGbdtScale *scale, int extreme)
{
	MlEnv	   *env = unit_env(1);
	size_t		all = 2 * n + 3;
	MlGbdtBins *bins = histogram_columns(env, all, columns, joint, extreme > 0);
	MlGbdtGrower grower = {.bins = bins, .scale = *scale};
	size_t		room = ml_gbdt_packed_room((size_t) bins->n_bytes, bins->n_bytes < columns);
	size_t		entries = bins->offset[columns];
	int64_t    *packed = ml_alloc0(env, room, sizeof(int64_t));
	MlGbdtSum  *want = ml_alloc0(env, entries, sizeof(MlGbdtSum));
	MlGbdtSum  *got = ml_alloc0(env, entries, sizeof(MlGbdtSum));
	int			wrong = 0;

	grower.byte = ml_alloc(env, (size_t) columns, sizeof(int));
	grower.rows[0] = ml_alloc(env, n, sizeof(uint32_t));
	grower.gradients = (MlGbdtGradients) {ml_alloc(env, all, sizeof(int64_t)), ml_alloc(env, all, sizeof(int32_t))};
	for (size_t i = 0; i < all; i++)
		store_histogram_row(scale, i, extreme, &grower.gradients);
	for (size_t i = 0; i < n; i++)
		grower.rows[0][i] = (uint32_t) (2 * i + i % 2);
	sum_rows_of(bins, listed, &grower, n, want);
	for (int t = 0; t < TIERS; t++)
	{
		memset(got, 0, entries * sizeof(MlGbdtSum));
		ml_simd_limit((MlSimdTier) t);
		ml_gbdt_hist_tiles(&grower, grower.rows[0], n, packed, got);
		wrong += memcmp(want, got, entries * sizeof(MlGbdtSum)) != 0;
		for (size_t b = 0; b < room; b++)
			wrong += packed[b] != 0;
	}
	unit_check(wrong == 0, __FILE__, __LINE__, "histograms of %zu rows, %d columns in %d bytes", n, columns, bins->n_bytes);
	ml_simd_limit(ML_TIER_AVX512);
	unit_env_free(env);
}

/* All forms of rows, around the numbers of rows at which sums are unpacked; all rows in one bin and all bits set is the worst case. */
static void
test_histogram(void)
{
	static const MlGbdtScale scales[] = {
		{.count_bits = 17}, {.packed = true, .count_bits = 17}, {.packed = true, .unit_h = true, .count_bits = 17}
	};
	static const size_t sizes[] = {1, 2, 3, 63, 64, 65, 200, 500, 1535, 1536, 1537, 4094, 4095, 4096, 8190, 8191};
	static const size_t large[] = {65534, 65535, 65536, 65537, 100000};
	static const int widths[] = {1, 3, 4, 5, 8, 11, 28, 64, 65};

	for (int s = 0; s < 3; s++)
	{
		for (size_t l = 0; l < sizeof(sizes) / sizeof(sizes[0]); l++)
			for (int joint = 0; joint <= 1; joint++)
				check_histogram(sizes[l], widths[l % 9], l % 2 == 1, joint, &scales[s], (int) l % 3);
		for (size_t l = 0; l < sizeof(large) / sizeof(large[0]); l++)
			for (int extreme = 0; extreme < 3; extreme++)
				check_histogram(large[l], l % 2 == 0 ? 5 : 9, extreme == 0, l % 2 == 1, &scales[s], extreme);
		for (int way = 0; way < 4; way++)
		{
			check_histogram(2000, 300, way % 2, way >= 2, &scales[s], 0);
			check_histogram(1600, 1500, way % 2, way >= 2, &scales[s], 1);
			check_histogram(30, 1500, way % 2, way >= 2, &scales[s], 0);
		}
	}
}

/* The search for the best limit, one limit after another as the definition says. */
static void
plain_search(const MlGbdtSearch *s, double own, MlGbdtSplit *best)
{
	double		g = ml_gbdt_g(s->scale, s->total);
	double		h = ml_gbdt_h(s->scale, s->total);
	MlGbdtSum	missing = s->hist[s->column->missing];
	MlGbdtSum	left = {0, 0};

	for (uint32_t b = 0; b < s->column->n_bins - (missing[1] == 0); b++)
	{
		left += s->hist[b];
		for (int way = 0; way <= (missing[1] != 0) && s->hist[b][1] != 0; way++)
		{
			MlGbdtSum	side = way ? left + missing : left;
			int64_t		rows = ml_gbdt_rows(s->scale, side);
			double		a = ml_gbdt_g(s->scale, side);
			double		v = ml_gbdt_h(s->scale, side);
			double		l1 = s->rules->lambda_l1;
			double		l2 = s->rules->lambda_l2;
			double		ta = a > l1 ? a - l1 : a < -l1 ? a + l1 : 0;
			double		tb = g - a > l1 ? g - a - l1 : g - a < -l1 ? g - a + l1 : 0;
			double		gain = (v + l2 > 0 ? ta * ta / (v + l2) : 0) + (h - v + l2 > 0 ? tb * tb / (h - v + l2) : 0);

			if (rows < s->rules->min_data_in_leaf || ml_gbdt_rows(s->scale, s->total) - rows < s->rules->min_data_in_leaf ||
				v < s->rules->min_sum_hessian || h - v < s->rules->min_sum_hessian ||
				!(gain > own + s->rules->min_gain + 1e-13 * own) || !(gain - own - s->rules->min_gain > best->gain))
				continue;
			*best = (MlGbdtSplit) {.gain = gain - own - s->rules->min_gain, .bin = b, .left = side};
			best->missing_left = missing[1] != 0 ? way : 2 * rows >= ml_gbdt_rows(s->scale, s->total);
		}
	}
}

static void
test_split_search(void)
{
	static const uint32_t widths[] = {1, 2, 3, 7, 8, 9, 63, 64, 65, 127, 128, 129, 254, 255, 3000};
	static MlGbdtSum hist[3001];
	MlGbdtScale scale = {.count_bits = 20, .g = 0x1p-20, .h = 0x1p-22};
	int			wrong = 0;
	int			found = 0;

	for (int c = 0; c < 1500; c++)
	{
		uint32_t	bins = widths[c % 15];
		MlGbdtColumn column = {.n_bins = bins, .missing = bins};
		double		full = gbdt_random(20, (uint64_t) c);
		MlGbdtRules rules = {
			.min_data_in_leaf = c % 4 == 0 ? 1 : 20, .min_sum_hessian = c % 3 == 0 ? 0 : 1e-3, .lambda_l1 = c % 5 == 0 ? 3 : 0,
			.lambda_l2 = c % 2 == 0 ? 0 : 1, .min_gain = c % 7 == 0 ? 0.5 : 0
		};
		MlGbdtSearch search = {.rules = &rules, .scale = &scale, .column = &column, .feature = 3, .hist = hist};
		MlGbdtSplit want = {.gain = 0};
		double		g;
		double		h;
		double		t;
		double		own;

		search.total = (MlGbdtSum) {0, 0};
		for (uint32_t b = 0; b <= bins; b++)
		{
			uint64_t	i = (uint64_t) c * 4000 + b;
			int64_t		rows = gbdt_random(21, i) < full ? (int64_t) (gbdt_random(22, i) * 30) : 0;

			if (b == bins && c % 2 == 0)
				rows = 0;
			/* Every other case has gradients of few values, so that gains are equal. */
			hist[b][0] = (int64_t) ((c % 2 ? gbdt_random(23, i) - 0.5 : (double) (i % 3) - 1) * (double) rows * 0x1p20);
			hist[b][1] = (int64_t) ((double) rows * 0x1p20 * (c % 6 == 1 ? 0 : 1)) * (INT64_C(1) << 20) + rows;
			search.total += hist[b];
		}
		g = ml_gbdt_g(&scale, search.total);
		h = ml_gbdt_h(&scale, search.total);
		t = g > rules.lambda_l1 ? g - rules.lambda_l1 : g < -rules.lambda_l1 ? g + rules.lambda_l1 : 0;
		own = h + rules.lambda_l2 > 0 ? t * t / (h + rules.lambda_l2) : 0;
		plain_search(&search, own, &want);
		found += want.gain > 0;
		for (int tier = 0; tier < TIERS; tier++)
		{
			MlGbdtSplit got = {.gain = 0};

			ml_simd_limit((MlSimdTier) tier);
			ml_gbdt_split_find(&search, &got);
			wrong += got.gain != want.gain || got.bin != want.bin || got.missing_left != want.missing_left ||
				got.left[0] != want.left[0] || got.left[1] != want.left[1];
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
	CHECK(wrong == 0);
	CHECK(found > 500);
}

static int
by_rank(const void *a, const void *b)
{
	const MlGbdtRank *x = a;
	const MlGbdtRank *y = b;

	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->bin > y->bin) - (x->bin < y->bin);
}

/* Both ends against a whole sort: all different, few values, one value, infinities, sorted either way. */
static void
test_ranks(void)
{
	enum
	{
		MOST = 5000
	};
	static const size_t sizes[] = {0, 1, 2, 3, 7, 63, 64, 65, 66, 500, MOST};
	static const size_t ends[] = {0, 1, 2, 31, 32, 33, 250, MOST};
	static MlGbdtRank got[MOST + 1];
	static MlGbdtRank want[MOST];
	int			wrong = 0;

	for (int c = 0; c < 11 * 8 * 6; c++)
	{
		size_t		n = sizes[c % 11];
		size_t		k = ends[c / 11 % 8];

		for (size_t i = 0; i < n; i++)
		{
			double		forms[] = {
				gbdt_normal(50, i), floor(gbdt_random(51, i) * 3) - 1, -0.0, i % 3 == 0 ? INFINITY : i % 3 == 1 ? -INFINITY : 0, (double) i, -(double) i
			};

			want[i] = got[i] = ml_gbdt_rank_of(forms[c / 88], (uint32_t) (n - i));
		}
		got[n] = (MlGbdtRank) {7, 7};
		qsort(want, n, sizeof(MlGbdtRank), by_rank);
		ml_gbdt_rank_ends(got, n, k);
		for (size_t i = 0; i < k && i < n; i++)
			wrong += by_rank(&got[i], &want[i]) != 0 || by_rank(&got[n - 1 - i], &want[n - 1 - i]) != 0;
		wrong += got[n].key != 7 || got[n].bin != 7;
		qsort(got, n, sizeof(MlGbdtRank), by_rank);
		for (size_t i = 0; i < n; i++)
			wrong += by_rank(&got[i], &want[i]) != 0;
	}
	CHECK(wrong == 0);
	CHECK(ml_gbdt_rank_of(-0.0, 3).key == ml_gbdt_rank_of(0.0, 3).key && ml_gbdt_rank_of(-5e-324, 3).key < ml_gbdt_rank_of(0.0, 3).key);
}

/* Rows to both sides at every length around sixteen; nothing outside is touched, and a wrong number of rows is noticed. */
static void
test_partition(void)
{
	enum
	{
		MOST = 65537
	};
	static const size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 300, 4095, 65535, 65536, MOST};
	static uint8_t narrow[2 * MOST];
	static uint16_t wide[2 * MOST];
	static uint8_t goes_left[3000];
	static uint32_t rows[MOST];
	static uint32_t want[MOST];
	static uint32_t to[MOST + 1];
	int			wrong = 0;

	for (size_t i = 0; i < 2 * MOST; i++)
	{
		narrow[i] = (uint8_t) (gbdt_random(40, i) * 256);
		wide[i] = (uint16_t) (gbdt_random(41, i) * 3000);
	}
	for (int c = 0; c < 4 * 14 * 2 * TIERS; c++)
	{
		int			share = c % 4;	/* none, a third, two thirds or all of the bins go left */
		size_t		n = sizes[c / 4 % 14];
		MlGbdtColumn column = {.narrow = c / 56 % 2 ? narrow : NULL, .wide = c / 56 % 2 ? NULL : wide};
		size_t		n_left = 0;
		size_t		right;

		for (int b = 0; b < 3000; b++)
			goes_left[b] = gbdt_random(42, (uint64_t) b) * 3 < share;
		for (size_t i = 0; i < n; i++)
		{
			rows[i] = (uint32_t) (c % 3 == 0 ? i : 2 * i + (size_t) (gbdt_random(43, i) * 2));
			n_left += goes_left[column.narrow ? narrow[rows[i]] : wide[rows[i]]];
		}
		right = n_left;
		for (size_t i = 0, left = 0; i < n; i++)
			want[goes_left[column.narrow ? narrow[rows[i]] : wide[rows[i]]] ? left++ : right++] = rows[i];
		ml_simd_limit((MlSimdTier) (c / 112));
		to[n] = 77;
		wrong += ml_gbdt_sort_rows(&column, goes_left, rows, n, n_left, to) != n_left || memcmp(to, want, n * sizeof(uint32_t)) != 0;
		wrong += n_left > 0 && ml_gbdt_sort_rows(&column, goes_left, rows, n, n_left - 1, to) == n_left - 1;
		wrong += n_left < n && ml_gbdt_sort_rows(&column, goes_left, rows, n, n_left + 1, to) == n_left + 1;
		wrong += to[n] != 77;
	}
	CHECK(wrong == 0);
	ml_simd_limit(ML_TIER_AVX512);
}

/* The squared loss against its definition; targets and scores may be hostile, but finite. */
static void
test_squared(void)
{
	static double score[ROWS];
	static double y[ROWS];
	static double weight[ROWS];
	static double g[TIERS][ROWS + 1];

	for (size_t i = 0; i < ROWS; i++)
	{
		score[i] = i % 97 == 0 ? 5e-324 : i % 89 == 0 ? 1e150 : gbdt_normal(6, i);
		y[i] = i % 101 == 0 ? -0.0 : gbdt_normal(7, i);
		weight[i] = i % 11 == 0 ? 0 : gbdt_random(8, i) * 5;
	}
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
	{
		for (int weighted = 0; weighted <= 1; weighted++)
		{
			size_t		n = lengths[l];
			double		sums[TIERS][ML_GBDT_BLOCK_SUMS] = {{0}};
			double		want[ML_GBDT_BLOCK_SUMS] = {0};
			int			wrong = 0;

			for (int t = 0; t < TIERS; t++)
			{
				ml_simd_limit((MlSimdTier) t);
				g[t][n] = 77;
				ml_gbdt_squared_rows(score, y, weighted ? weight : NULL, n, g[t], sums[t]);
				wrong += g[t][n] != 77 || memcmp(g[0], g[t], n * sizeof(double)) != 0 || memcmp(sums[0], sums[t], sizeof(sums[0])) != 0;
			}
			for (size_t i = 0; i < n; i++)
			{
				double		r = score[i] - y[i];
				double		v = (weighted ? weight[i] : 1) * r;

				wrong += g[0][i] != v;
				want[ML_GBDT_BLOCK_LOSS] += v * r;
				want[ML_GBDT_BLOCK_SUM] += fabs(v);
				want[ML_GBDT_BLOCK_MAX] = fmax(want[ML_GBDT_BLOCK_MAX], fabs(v));
			}
			CHECK(wrong == 0);
			CHECK(sums[0][ML_GBDT_BLOCK_MAX] == want[ML_GBDT_BLOCK_MAX]);
			CHECK_CLOSE(sums[0][ML_GBDT_BLOCK_LOSS], want[ML_GBDT_BLOCK_LOSS], 1e-12);
			CHECK_CLOSE(sums[0][ML_GBDT_BLOCK_SUM], want[ML_GBDT_BLOCK_SUM], 1e-12);
		}
	}
	ml_simd_limit(ML_TIER_AVX512);
}

int
main(void)
{
	test_partition();
	test_ranks();
	test_squared();
	test_sigmoid();
	test_logistic();
	test_quantise();
	test_histogram();
	test_split_search();
	return unit_done();
}
