/*-------------------------------------------------------------------------
 * softmax_loss.c
 *	  Penalised log loss of a linear model, its gradient and its Hessian.
 *
 * Rows are visited in blocks.  Block b is added up by slot b mod slots, the slots are
 * joined in their order: the number of threads changes nothing.  Z is built anew from the columns
 * for each visit, which costs rows x columns against the rows x columns^2 of the Hessian
 * and saves a copy of the data.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "ml/algo/softmax_loss.h"
#include "ml/algo/softmax_rows.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"
#include "ml/base/lanes.h"
#include "ml/base/pool.h"
#include "ml/base/simd.h"

/* What a block of Z should take at most: half of a common second-level cache. */
#define BLOCK_DOUBLES ((size_t) 1 << 17)

struct MlSoftmaxSlot
{
	double		value;
	double		total;			/* weight of the rows */
	double	   *gradient;		/* size */
	double	   *hessian;		/* size x size, see add_hessian() */
	double	   *of_class;		/* k x q x q: sum of w p_k z z'; NULL for two classes and matrix-free */
	double	   *wide;			/* part x size */
	double	   *z;				/* block x q */
	double	   *scaled;			/* block x q */
	double	   *score;			/* block x m; then the residuals in the basis */
	double	   *tangent;		/* block x m: scores of the direction of a product; the probabilities in the basis */
	double	   *prob;			/* block x k; two classes: the first column holds the labels */
	double	   *weight;			/* block */
	double	   *pair;			/* block: weights of a sum of products */
	double	   *eta;			/* block x k: scores, and what else there is for each class */
	double	   *line;			/* 2 x block */
};

typedef enum Wanted
{
	WANT_VALUE,
	WANT_GRADIENT,
	WANT_HESSIAN,				/* and gradient */
	WANT_PRODUCT,
	WANT_GRAM
} Wanted;

typedef struct Visit
{
	const MlSoftmaxLoss *loss;
	const MlDense *dense;
	Wanted		want;
	const double *u;
	const double *v;			/* direction of a product */
	size_t		first;			/* block of slot 0 in this wave */
} Visit;

/* width: rows and columns of the matrix that a slot adds up */
static void
cut_rows(size_t n, size_t q, size_t k, size_t width, size_t *block, size_t *n_blocks, size_t *n_slots)
{
	size_t		least = k > q ? 32 : 256;

	*block = BLOCK_DOUBLES / (q > k ? q : k);
	*block = *block < least ? least : *block > 4096 ? 4096 : *block;
	*block = *block > n ? n : *block;
	*block = (*block + ML_LANES - 1) / ML_LANES * ML_LANES;
	*n_blocks = (n + *block - 1) / *block;
	*n_slots = width <= 256 ? 16 : width <= 1024 ? 8 : width <= 2048 ? 4 : 2;
	*n_slots = *n_slots > *n_blocks ? *n_blocks : *n_slots;
}

/* Rows of the wide matrix of a Hessian that are made at a time. */
static size_t
part_of(size_t block, size_t size)
{
	size_t		part = BLOCK_DOUBLES / (size > 0 ? size : 1);

	part = part < 64 ? 64 : part;
	return part > block ? block : part;
}

size_t
ml_softmax_loss_memory(size_t n, size_t q, size_t k, bool matrix_free)
{
	size_t		size = (k > 2 ? k - 1 : 1) * q;
	size_t		width = matrix_free ? q : size;
	size_t		block,
				n_blocks,
				n_slots;

	cut_rows(n > 0 ? n : 1, q, k, width, &block, &n_blocks, &n_slots);
	return n_slots * ((width * width + size + block * (2 * q + 4 * k + 4)) * sizeof(double) + 8192 + 4 * ML_LANES * sizeof(double)) +
		(matrix_free || k <= 2 ? 0 : n_slots * (k * q * q + part_of(block, size) * size) * sizeof(double));
}

void
ml_softmax_to_classes(const MlSoftmaxLoss *loss, const double *s, size_t stride, double *eta)
{
	double		above = 0;		/* what the contrasts of later classes give all before them */

	if (loss->binary)
	{
		eta[0] = 0;
		eta[1] = s[0];
		return;
	}
	for (size_t c = loss->m; c-- > 0;)
	{
		double		part = loss->share[c] * s[c * stride];

		eta[c + 1] = above - (double) (c + 1) * part;
		above += part;
	}
	eta[0] = above;
}

static MlSoftmaxRows
rows_of(const MlSoftmaxLoss *loss, const MlSoftmaxSlot *slot, size_t rows)
{
	return (MlSoftmaxRows) {.n = rows, .ld = loss->block, .k = loss->k, .share = loss->share, .line = slot->line};
}

/* Scores of rows that do not count may be anything: they become 0. */
static void
blank(const MlSoftmaxLoss *loss, const MlSoftmaxSlot *slot, size_t rows, double *score)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t c = 0; slot->weight[i] == 0 && c < loss->m; c++)
			score[c * loss->block + i] = 0;
}

MlStatus
ml_softmax_loss_init(MlEnv *env, MlSoftmaxLoss *loss, double penalty)
{
	bool		with_hessian = !loss->matrix_free && !loss->binary;
	size_t		width;

	loss->thin = 1;
	loss->q = loss->first + loss->scale->n;
	loss->m = loss->k - 1;
	loss->size = loss->m * loss->q;
	loss->share = ml_alloc0(env, loss->m, sizeof(double));
	loss->penalty = ml_alloc0(env, loss->q, sizeof(double));
	if (loss->share == NULL || loss->penalty == NULL)
		return env->error.status;
	ml_softmax_shares(loss->k, loss->share);

	/* penalty/2 * (u factor)^2, relative to the sum of weights; beyond 1e200 the coefficient is 0 anyhow */
	for (size_t j = loss->first; j < loss->q; j++)
	{
		double		f = loss->scale->factor[j - loss->first];

		loss->penalty[j] = fmin(penalty / loss->design->total_weight * f * f, 1e200);
	}

	width = loss->matrix_free ? loss->q : loss->size;
	cut_rows(loss->data->n_train, loss->q, loss->k, width, &loss->block, &loss->n_blocks, &loss->n_slots);
	loss->slots = ml_alloc0(env, loss->n_slots, sizeof(MlSoftmaxSlot));
	if (loss->slots == NULL)
		return env->error.status;
	for (size_t s = 0; s < loss->n_slots; s++)
	{
		MlSoftmaxSlot *slot = &loss->slots[s];

		slot->gradient = ml_alloc0(env, loss->size, sizeof(double));
		slot->hessian = ml_alloc0(env, width * width, sizeof(double));
		slot->of_class = with_hessian ? ml_alloc0(env, loss->k * loss->q * loss->q, sizeof(double)) : NULL;
		slot->wide = with_hessian ? ml_alloc0(env, part_of(loss->block, loss->size) * loss->size, sizeof(double)) : NULL;
		if (with_hessian && (slot->of_class == NULL || slot->wide == NULL))
			return env->error.status;
		slot->z = ml_alloc0(env, loss->block * loss->q, sizeof(double));
		slot->scaled = ml_alloc0(env, loss->block * loss->q, sizeof(double));
		slot->score = ml_alloc0(env, loss->block * loss->m + ML_LANES, sizeof(double));
		slot->tangent = ml_alloc0(env, loss->block * loss->m, sizeof(double));
		slot->prob = ml_alloc0(env, loss->block * loss->k + ML_LANES, sizeof(double));
		slot->weight = ml_alloc0(env, loss->block + ML_LANES, sizeof(double));
		slot->pair = ml_alloc0(env, loss->block + ML_LANES, sizeof(double));
		slot->eta = ml_alloc0(env, loss->binary ? 1 : loss->block * loss->k, sizeof(double));
		slot->line = ml_alloc0(env, 2 * loss->block, sizeof(double));
		if (slot->gradient == NULL || slot->hessian == NULL || slot->z == NULL || slot->scaled == NULL ||
			slot->score == NULL || slot->tangent == NULL || slot->prob == NULL || slot->weight == NULL || slot->pair == NULL || slot->eta == NULL ||
			slot->line == NULL)
			return env->error.status;
	}
	return ML_OK;
}

/* Rows of one block into z (leading dimension block), and their weights; returns how many there are. */
static size_t
fill_block(const MlSoftmaxLoss *loss, MlSoftmaxSlot *slot, size_t block)
{
	size_t		first = block * loss->block;
	size_t		rows = loss->data->n_train - first;

	rows = rows > loss->block ? loss->block : rows;
	for (size_t i = 0; i < rows; i++)
		slot->weight[i] = ml_design_weight(loss->design, loss->data, first + i);
	for (size_t i = 0; loss->first == 1 && i < rows; i++)
		slot->z[i] = 1;
	for (size_t j = loss->first; j < loss->q; j++)
	{
		size_t		k = j - loss->first;

		ml_design_read(loss->design, loss->data, loss->scale->column[k], first, rows,
					   loss->scale->center[k], loss->scale->factor[k], slot->z + j * loss->block);
	}
	return rows;
}

/*
 * Two classes, eight rows at a time: scores s become residuals w (p - y), pair gets w p (1 - p);
 * returns the sum of w * loss.  All have room for a multiple of eight rows.
 */
__attribute__((always_inline))
static inline void
two_classes_body(size_t rows, const double *label, const double *weight, double *score, double *pair, double *loss)
{
	MlLanes		sum = {0};
	MlLanes		zero = {0};

	for (size_t i = 0; i < rows; i += ML_LANES)
	{
		MlLanes		s,
					y,
					w,
					e,
					minus,
					value,
					small,
					large;
		MlLanes		least = zero - 746;
		MlLanesInt	counts,
					one,
					right,
					inside;

		ml_lanes_load(&s, score + i);
		ml_lanes_load(&y, label + i);
		ml_lanes_load(&w, weight + i);
		counts = w > 0;			/* the score of a row that does not count may be anything */
		one = y > 0;
		ml_lanes_choose(&s, &counts, &zero);
		minus = (MlLanes) ((MlLanesInt) s | INT64_MIN);	/* -|s| */
		right = (s >= 0) == one;
		inside = minus > least;
		value = (MlLanes) (~right & (MlLanesInt) -minus);	/* a wrong score costs |s| more */
		ml_lanes_choose(&minus, &inside, &least);
		ml_lanes_exp(&e, &minus);
		large = 1 / (1 + e);
		small = e / (1 + e);
		ml_lanes_log1p_unit(&minus, &e);
		sum += w * (value + minus);
		minus = w * small * large;
		ml_lanes_store(pair + i, &minus);
		/* The probability of the other class: small where the score is right. */
		ml_lanes_choose(&small, &right, &large);
		small = w * small;
		minus = -small;
		ml_lanes_choose(&minus, &one, &small);
		ml_lanes_store(score + i, &minus);
	}
	*loss = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

ML_SIMD_TIERS(two_classes, (size_t rows, const double *label, const double *weight, double *score, double *pair, double *loss),
			  (rows, label, weight, score, pair, loss))

static size_t
class_index(const MlSoftmaxLoss *loss, size_t row)
{
	int32_t		label = (int32_t) loss->data->y[row];

	return loss->class_of == NULL ? (size_t) label : (size_t) loss->class_of[label];
}

/* out = root * in */
__attribute__((always_inline))
static inline void
scale_body(size_t n, const double *root, const double *in, double *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = root[i] * in[i];
}

ML_SIMD_TIERS(scale, (size_t n, const double *root, const double *in, double *out), (n, root, in, out))

/* Residuals w (p - y) and w p (1 - p) of two classes; returns the loss. */
static double
two_class_loss(const MlSoftmaxLoss *loss, MlSoftmaxSlot *slot, size_t block, size_t rows)
{
	size_t		end = (rows + ML_LANES - 1) / ML_LANES * ML_LANES;
	double		sum = 0;

	for (size_t i = 0; i < rows; i++)
		slot->prob[i] = (double) class_index(loss, block * loss->block + i);
	for (size_t i = rows; i < end; i++)
		slot->prob[i] = slot->weight[i] = slot->score[i] = 0;
	ML_SIMD_CALL(two_classes, (end, slot->prob, slot->weight, slot->score, slot->pair, &sum));
	return sum;
}

/* Probabilities and loss of a block; the scores become residuals w (p - [y]) in the basis. */
static double
block_loss(const MlSoftmaxLoss *loss, MlSoftmaxSlot *slot, size_t block, size_t rows)
{
	MlSoftmaxRows classes = rows_of(loss, slot, rows);
	double	   *log_sum = slot->line + loss->block;
	double		sum = 0;

	if (loss->binary)
		return two_class_loss(loss, slot, block, rows);
	blank(loss, slot, rows, slot->score);
	ml_softmax_rows_classes(&classes, slot->score, slot->prob);
	for (size_t i = 0; i < rows; i++)
		slot->pair[i] = slot->prob[class_index(loss, block * loss->block + i) * loss->block + i];
	ml_softmax_rows_probabilities(&classes, slot->prob, slot->line, log_sum);
	for (size_t i = 0; i < rows; i++)
		sum += slot->weight[i] * (log_sum[i] - (slot->pair[i] - slot->line[i]));
	for (size_t k = 0; k < loss->k; k++)
		ML_SIMD_CALL(scale, (rows, slot->weight, slot->prob + k * loss->block, slot->eta + k * loss->block));
	for (size_t i = 0; i < rows; i++)
	{
		size_t		at = class_index(loss, block * loss->block + i) * loss->block + i;

		slot->eta[at] = slot->weight[i] * (slot->prob[at] - 1);
	}
	ml_softmax_rows_contrasts(&classes, slot->eta, slot->score);
	return sum;
}

/* score (n) = Z u for q columns of leading dimension ld, four at a time: one score needs no general product, which would copy Z. */
__attribute__((always_inline))
static inline void
one_score_body(size_t n, size_t q, const double *z, size_t ld, const double *u, double *score)
{
	size_t		j = 0;

	for (size_t i = 0; i < n; i++)
		score[i] = 0;
	for (; j + 4 <= q; j += 4, z += 4 * ld)
		for (size_t i = 0; i < n; i++)
			score[i] += (u[j] * z[i] + u[j + 1] * z[ld + i]) + (u[j + 2] * z[2 * ld + i] + u[j + 3] * z[3 * ld + i]);
	for (; j < q; j++, z += ld)
		for (size_t i = 0; i < n; i++)
			score[i] += u[j] * z[i];
}

ML_SIMD_TIERS(one_score, (size_t n, size_t q, const double *z, size_t ld, const double *u, double *score), (n, q, z, ld, u, score))

/* gradient (q) += Z' r */
__attribute__((always_inline))
static inline void
one_gradient_body(size_t n, size_t q, const double *z, size_t ld, const double *r, double *gradient)
{
	size_t		whole = n - n % ML_LANES;

	for (size_t j = 0; j < q; j++, z += ld)
	{
		MlLanes		a = {0};
		double		rest = 0;

		for (size_t i = 0; i < whole; i += ML_LANES)
		{
			MlLanes		x,
						y;

			ml_lanes_load(&x, z + i);
			ml_lanes_load(&y, r + i);
			a += x * y;
		}
		for (size_t i = whole; i < n; i++)
			rest += z[i] * r[i];
		gradient[j] += (((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))) + rest;
	}
}

ML_SIMD_TIERS(one_gradient, (size_t n, size_t q, const double *z, size_t ld, const double *r, double *gradient), (n, q, z, ld, r, gradient))

/* score (rows x m) = Z u */
static void
scores_of(const Visit *visit, const double *u, size_t rows, const MlSoftmaxSlot *slot, double *score)
{
	const MlSoftmaxLoss *loss = visit->loss;

	if (loss->m == 1)
		ML_SIMD_CALL(one_score, (rows, loss->q, slot->z, loss->block, u, score));
	else
		visit->dense->gemm(false, false, rows, loss->m, loss->q, 1, slot->z, loss->block, u, loss->q, 0, score, loss->block);
}

/* slot->gradient += Z' residual */
static void
add_gradient(const Visit *visit, MlSoftmaxSlot *slot, size_t rows, const double *residual)
{
	const MlSoftmaxLoss *loss = visit->loss;

	if (loss->m == 1)
		ML_SIMD_CALL(one_gradient, (rows, loss->q, slot->z, loss->block, residual, slot->gradient));
	else
		visit->dense->gemm(true, false, loss->q, loss->m, rows, 1, slot->z, loss->block, residual, loss->block, 1, slot->gradient, loss->q);
}

/* into (q x q) += Z' diag(pair) Z, the upper triangle: by roots, for half the work */
static void
add_products(const Visit *visit, MlSoftmaxSlot *slot, size_t rows, double *into)
{
	const MlSoftmaxLoss *loss = visit->loss;

	for (size_t i = 0; i < rows; i++)
		slot->pair[i] = sqrt(slot->pair[i]);
	for (size_t j = 0; j < loss->q; j++)
		ML_SIMD_CALL(scale, (rows, slot->pair, slot->z + j * loss->block, slot->scaled + j * rows));
	visit->dense->syrk(rows, loss->q, slot->scaled, into);
}

/*
 * With more than two classes, the Hessian of a row is B' (diag p - p p') B (x) w z z'.  Here the slot adds up its two parts: the products of
 * q = B' p, as one product of a wide matrix with columns sqrt(w) q_c z_j, and for each class w p_k z z', from which
 * join_hessian() has the other part.  So work beyond that product grows with the classes, not with their pairs.
 */
static void
add_hessian(const Visit *visit, MlSoftmaxSlot *slot, size_t rows)
{
	const MlSoftmaxLoss *loss = visit->loss;
	MlSoftmaxRows classes = rows_of(loss, slot, rows);
	size_t		part = part_of(loss->block, loss->size);

	if (loss->binary)
	{
		add_products(visit, slot, rows, slot->hessian);
		return;
	}
	for (size_t k = 0; k < loss->k; k++)
	{
		ML_SIMD_CALL(scale, (rows, slot->weight, slot->prob + k * loss->block, slot->pair));
		add_products(visit, slot, rows, slot->of_class + k * loss->q * loss->q);
	}
	for (size_t i = 0; i < rows; i++)
		slot->pair[i] = sqrt(slot->weight[i]);
	for (size_t k = 0; k < loss->k; k++)
		ML_SIMD_CALL(scale, (rows, slot->pair, slot->prob + k * loss->block, slot->eta + k * loss->block));
	ml_softmax_rows_contrasts(&classes, slot->eta, slot->tangent);
	for (size_t first = 0; first < rows; first += part)
	{
		size_t		n = rows - first < part ? rows - first : part;

		for (size_t c = 0; c < loss->m; c++)
			for (size_t j = 0; j < loss->q; j++)
				ML_SIMD_CALL(scale, (n, slot->tangent + c * loss->block + first, slot->z + j * loss->block + first,
									 slot->wide + (c * loss->q + j) * n));
		visit->dense->syrk(n, loss->size, slot->wide, slot->hessian);
	}
}

/* The weights of the rows in ml_softmax_loss_gram(). */
static void
add_gram(const Visit *visit, MlSoftmaxSlot *slot, size_t rows)
{
	const MlSoftmaxLoss *loss = visit->loss;

	if (!loss->binary)
	{
		memset(slot->pair, 0, rows * sizeof(double));
		for (size_t k = 0; k < loss->k; k++)
			for (size_t i = 0; i < rows; i++)
				slot->pair[i] += slot->prob[k * loss->block + i] * slot->prob[k * loss->block + i];
		for (size_t i = 0; i < rows; i++)
			slot->pair[i] = slot->weight[i] * fmax(1 - slot->pair[i], 0) / loss->m;
	}
	add_products(visit, slot, rows, slot->hessian);
}

/* Tangent scores t = Z v -> w B' (diag p - p p') B t */
static void
curve(const MlSoftmaxLoss *loss, MlSoftmaxSlot *slot, size_t rows)
{
	MlSoftmaxRows classes = rows_of(loss, slot, rows);

	blank(loss, slot, rows, slot->tangent);
	if (loss->binary)
	{
		for (size_t i = 0; i < rows; i++)
			slot->tangent[i] *= slot->pair[i];
		return;
	}
	ml_softmax_rows_classes(&classes, slot->tangent, slot->eta);
	ml_softmax_rows_curve(&classes, slot->prob, slot->weight, slot->eta);
	ml_softmax_rows_contrasts(&classes, slot->eta, slot->tangent);
}

static void
visit_task(void *arg, size_t task, int thread)
{
	const Visit *visit = arg;
	const MlSoftmaxLoss *loss = visit->loss;
	MlSoftmaxSlot *slot = &loss->slots[task];
	size_t		block = (visit->first + task) * loss->thin;
	size_t		rows;

	(void) thread;
	if (block >= loss->n_blocks)
		return;
	rows = fill_block(loss, slot, block);
	for (size_t i = 0; loss->thin > 1 && i < rows; i++)
		slot->total += slot->weight[i];
	scores_of(visit, visit->u, rows, slot, slot->score);
	slot->value += block_loss(loss, slot, block, rows);
	if (visit->want == WANT_GRADIENT || visit->want == WANT_HESSIAN)
		add_gradient(visit, slot, rows, slot->score);
	if (visit->want == WANT_HESSIAN)
		add_hessian(visit, slot, rows);
	else if (visit->want == WANT_GRAM)
		add_gram(visit, slot, rows);
	else if (visit->want == WANT_PRODUCT)
	{
		scores_of(visit, visit->v, rows, slot, slot->tangent);
		curve(loss, slot, rows);
		add_gradient(visit, slot, rows, slot->tangent);
	}
}

static MlStatus
visit_rows(MlEnv *env, MlSoftmaxLoss *loss, Visit *visit)
{
	size_t		width = loss->matrix_free ? loss->q : loss->size;

	for (size_t s = 0; s < loss->n_slots; s++)
	{
		MlSoftmaxSlot *slot = &loss->slots[s];

		slot->value = slot->total = 0;
		memset(slot->gradient, 0, loss->size * sizeof(double));
		if (visit->want == WANT_HESSIAN || visit->want == WANT_GRAM)
			memset(slot->hessian, 0, width * width * sizeof(double));
		if (visit->want == WANT_HESSIAN && slot->of_class != NULL)
			memset(slot->of_class, 0, loss->k * loss->q * loss->q * sizeof(double));
	}
	for (visit->first = 0; visit->first * loss->thin < loss->n_blocks; visit->first += loss->n_slots)
		ML_TRY(ml_pool_run(env, loss->n_slots, visit_task, visit));
	return ML_OK;
}

/* One over the weight of the rows that were visited. */
static double
share_of_visit(const MlSoftmaxLoss *loss)
{
	double		total = 0;

	if (loss->thin == 1)
		return 1 / loss->design->total_weight;
	for (size_t s = 0; s < loss->n_slots; s++)
		total += loss->slots[s].total;
	return total > 0 ? 1 / total : 0;
}

static void
add_scaled(double *into, const double *from, size_t n, double factor)
{
	for (size_t i = 0; i < n; i++)
		into[i] += factor * from[i];
}

/*
 * hessian (upper) += the other part, from "sum" (k x q x q, destroyed): with q = B' p and c > d, the sum over k of p_k B_kc B_kd is q_d share_c,
 * for c = d it is q_c share_c + p_c+1.
 */
static void
join_hessian(const MlSoftmaxLoss *loss, double *sum, double *hessian)
{
	size_t		q = loss->q;

	/* In their place: before class c + 1, the sum of w q_c z z'; of class 0 the sum over the classes so far. */
	for (size_t d = 0; d < loss->m; d++)
		for (size_t j = 0; j < q; j++)
			for (size_t i = 0; i <= j; i++)
			{
				double	   *all = &sum[j * q + i];
				double		own = sum[(d + 1) * q * q + j * q + i];
				double		value = loss->share[d] * (*all - (double) (d + 1) * own);

				*all += own;
				for (size_t c = d; c < loss->m; c++)
				{
					double	   *block = hessian + c * q * loss->size + d * q;
					double		more = loss->share[c] * value + (c == d ? own : 0);

					block[j * loss->size + i] += more;
					if (c > d && i < j)
						block[i * loss->size + j] += more;	/* a block beside the diagonal is whole */
				}
			}
}

MlStatus
ml_softmax_loss_eval(MlEnv *env, MlSoftmaxLoss *loss, const double *u,
					 double *value, double *data_loss, double *gradient, double *hessian)
{
	Visit		visit = {.loss = loss, .dense = env->dense, .u = u,
	.want = hessian != NULL ? WANT_HESSIAN : gradient != NULL ? WANT_GRADIENT : WANT_VALUE};
	double		share;
	double		sum = 0,
				penalty = 0;

	ML_TRY(visit_rows(env, loss, &visit));
	share = share_of_visit(loss);
	if (gradient != NULL)
		memset(gradient, 0, loss->size * sizeof(double));
	if (hessian != NULL)
		memset(hessian, 0, loss->size * loss->size * sizeof(double));
	for (size_t s = 0; s < loss->n_slots; s++)
	{
		sum += loss->slots[s].value;
		if (gradient != NULL)
			add_scaled(gradient, loss->slots[s].gradient, loss->size, share);
		if (hessian != NULL)
			add_scaled(hessian, loss->slots[s].hessian, loss->size * loss->size, loss->binary ? share : -share);
	}
	if (hessian != NULL && !loss->binary)
	{
		double	   *sum = loss->slots[0].of_class;
		size_t		n = loss->k * loss->q * loss->q;

		for (size_t s = 1; s < loss->n_slots; s++)
			add_scaled(sum, loss->slots[s].of_class, n, 1);
		for (size_t i = 0; i < n; i++)
			sum[i] *= share;
		join_hessian(loss, sum, hessian);
	}
	for (size_t i = 0; i < loss->size; i++)
	{
		double		p = loss->penalty[i % loss->q];

		penalty += p * u[i] * u[i] / 2;
		if (gradient != NULL)
			gradient[i] += p * u[i];
		if (hessian != NULL)
			hessian[i * loss->size + i] += p;
	}
	*value = sum * share + penalty;
	if (data_loss != NULL)
		*data_loss = sum * share;
	return ML_OK;
}

MlStatus
ml_softmax_loss_product(MlEnv *env, MlSoftmaxLoss *loss, const double *u, const double *v, double *out)
{
	Visit		visit = {.loss = loss, .dense = env->dense, .u = u, .v = v, .want = WANT_PRODUCT};

	ML_TRY(visit_rows(env, loss, &visit));
	for (size_t i = 0; i < loss->size; i++)
		out[i] = loss->penalty[i % loss->q] * v[i];
	for (size_t s = 0; s < loss->n_slots; s++)
		add_scaled(out, loss->slots[s].gradient, loss->size, share_of_visit(loss));
	return ML_OK;
}

MlStatus
ml_softmax_loss_gram(MlEnv *env, MlSoftmaxLoss *loss, const double *u, double *gram)
{
	Visit		visit = {.loss = loss, .dense = env->dense, .u = u, .want = WANT_GRAM};

	ML_TRY(visit_rows(env, loss, &visit));
	memset(gram, 0, loss->q * loss->q * sizeof(double));
	for (size_t s = 0; s < loss->n_slots; s++)
		add_scaled(gram, loss->slots[s].hessian, loss->q * loss->q, share_of_visit(loss));
	return ML_OK;
}
