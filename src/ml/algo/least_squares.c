/*-------------------------------------------------------------------------
 * least_squares.c
 *	  Solution, rank and errors from the triangle of a QR decomposition.
 *
 * Whether the columns have full rank is judged on the singular values of the
 * triangle, which are those of the centred and scaled columns.  The inverse, needed
 * anyway for the errors, bounds the smallest one: 1/||R^-1||.  Only if this bound does
 * not settle it is the decomposition computed.
 *
 * A direction counts as null when its singular value is below rcond times the
 * greatest one, or below what the rounding of the data themselves may produce: a year or
 * a time stamp is a large number that varies little, and its last bit weighs more.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <string.h>

#include "ml/algo/least_squares.h"
#include "ml/algo/linear_terms.h"
#include "ml/base/arena.h"
#include "ml/base/dense.h"

/* A coefficient that may be wrong by this share is computed again in quadruple precision, if the rows are few enough. */
#define WANTED_PRECISION 1e-10

/* Rows x columns^2 up to which that is done, and for a condition number from which on doubles are hopeless. */
#define QUAD_WORK 1e6
#define BAD_QUAD_WORK 2e7
#define BAD_CONDITION 1e6

/* Data noise never counts for more than this share of a column: integers beyond 2^53 are a rarity, not noise. */
#define MAX_NOISE 1e-7

/* A coefficient is determined by the data when the null directions do not touch it. */
#define ESTIMABLE 1e-6

typedef struct Solver
{
	const MlLeastSquares *problem;
	const MlDense *dense;
	size_t		p;				/* columns */
	size_t		q;				/* intercept + p + 1 */
	size_t		first;			/* 1 with an intercept */
	double	   *r;				/* q x q */
	double	   *r22;			/* p x p, of the centred columns */
	double	   *c;				/* p, their right-hand side */
	double	   *noise;			/* p, norm of the noise of a column */
	double		norm;			/* Frobenius norm of r22 */
	double		rcond;
} Solver;

static double
norm_of(const double *x, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sqrt(sum);
}

static bool
all_finite(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static MlStatus
lapack_failed(MlEnv *env, const char *what, int info)
{
	if (info <= -1000)
		return ml_fail(env, ML_NO_MEMORY, "out of memory in LAPACK");
	return ml_fail(env, ML_OUT_OF_RANGE, "%s of the features did not succeed (LAPACK info %d)", what, info);
}

static MlStatus
prepare(MlEnv *env, const MlLeastSquares *problem, Solver *s)
{
	const MlDesign *design = problem->design;
	double		root_weight = sqrt(design->total_weight);
	bool		good = false;

	s->problem = problem;
	s->dense = env->dense;
	s->p = problem->scale->n;
	s->first = problem->intercept;
	s->q = s->first + s->p + 1;
	s->r = ml_alloc0(env, s->q * s->q, sizeof(double));
	s->r22 = ml_alloc0(env, s->p * s->p, sizeof(double));
	s->c = ml_alloc0(env, s->p, sizeof(double));
	s->noise = ml_alloc0(env, s->p, sizeof(double));
	if (s->r == NULL || s->r22 == NULL || s->c == NULL || s->noise == NULL)
		return env->error.status;

	if (ml_least_squares_by_gram(problem->data->n_train, s->q))
		ML_TRY(ml_least_squares_gram(env, problem, s->r, &good));
	if (!good)
		ML_TRY(ml_least_squares_reduce(env, problem, s->r));
	if (!all_finite(s->r, s->q * s->q))
		return ml_linear_out_of_range(env, "the features or the target hold");

	for (size_t j = 0; j < s->p; j++)
	{
		double		column;

		memcpy(s->r22 + j * s->p, s->r + (j + s->first) * s->q + s->first, (j + 1) * sizeof(double));
		s->c[j] = s->r[(s->q - 1) * s->q + s->first + j];
		column = norm_of(s->r22 + j * s->p, s->p);
		s->noise[j] = fmin(problem->scale->noise[j] * root_weight, MAX_NOISE * column);
	}
	s->norm = norm_of(s->r22, s->p * s->p);
	s->rcond = problem->rcond;
	if (!(s->rcond > 0))
		s->rcond = 4 * DBL_EPSILON * fmax(s->p, sqrt((double) design->n_rows));
	return ML_OK;
}

/* Where the constant stands once the centring is undone: (c0 - r1' v) / R11 - sum of center * factor * v. */
static double
intercept_at_zero(const Solver *s, const double *v)
{
	const MlDesignScale *scale = s->problem->scale;
	double		sum;

	if (s->first == 0)
		return 0;
	sum = s->r[(s->q - 1) * s->q];
	for (size_t j = 0; j < s->p; j++)
		sum -= s->r[(j + 1) * s->q] * v[j];
	sum /= s->r[0];
	for (size_t j = 0; j < s->p; j++)
		sum -= scale->center[j] * scale->factor[j] * v[j];
	return sum;
}

/*
 * Errors from g (p x k), where v = g c' and c' has unit variance.  null (p x n_null)
 * may be NULL: coefficients it touches are not determined.
 */
static void
errors_of(const Solver *s, const double *g, size_t k, const double *null, size_t n_null, MlLeastSquaresFit *fit)
{
	const MlDesignScale *scale = s->problem->scale;
	double		variance,
				touched = 0,
				size = 0;

	for (size_t j = 0; j < s->p; j++)
	{
		double		sum = 0,
					null_sum = 0;

		for (size_t i = 0; i < k; i++)
			sum += g[i * s->p + j] * g[i * s->p + j];
		for (size_t i = 0; i < n_null; i++)
			null_sum += null[i * s->p + j] * null[i * s->p + j];
		fit->v_error[j] = sqrt(null_sum) > ESTIMABLE ? NAN : sqrt(sum);
	}
	fit->intercept_error = NAN;
	if (s->first == 0)
		return;

	/* v0 = c0 / R11 - h' v with h = r1 / R11 + center * factor; c0 is independent of c'. */
	variance = 1 / (s->r[0] * s->r[0]);
	for (size_t i = 0; i < k + n_null; i++)
	{
		const double *column = i < k ? g + i * s->p : null + (i - k) * s->p;
		double		dot = 0;

		for (size_t j = 0; j < s->p; j++)
		{
			double		h = s->r[(j + 1) * s->q] / s->r[0] + scale->center[j] * scale->factor[j];

			dot += column[j] * h;
			size += i == 0 ? h * h : 0;
		}
		if (i < k)
			variance += dot * dot;
		else
			touched += dot * dot;
	}
	if (sqrt(touched) <= ESTIMABLE * fmax(1, sqrt(size)))
		fit->intercept_error = sqrt(variance);
}

/* y (p) = a x for a (p x k) */
static void
times(const Solver *s, const double *a, size_t k, const double *x, double *y)
{
	s->dense->gemm(false, false, s->p, 1, k, 1, a, s->p, x, k, 0, y, s->p);
}

/* Is the triangle, whose inverse is given, safely of full rank?  *condition gets a bound. */
static bool
certified(const Solver *s, double norm, const double *inverse, double *condition)
{
	double		inverse_norm = norm_of(inverse, s->p * s->p);
	double		threshold = fmax(s->rcond * norm, 4 * norm_of(s->noise, s->p));

	*condition = norm * inverse_norm;
	return isfinite(inverse_norm) && inverse_norm * threshold < 1;
}

/*
 * Is quadruple precision worth its time?  The error of v_j by a backward stable method is about
 * eps * condition * |row j of the inverse| * |y| (Golub and Van Loan, section 5.3.7): small against the
 * standard error, but not against a coefficient that is itself far below it, as in Wampler's sets 4 and 5.
 */
static bool
wants_quad(const Solver *s, const MlLeastSquaresFit *fit)
{
	double		work = (double) s->problem->data->n_train * s->q * s->q;
	double		rest = s->r[s->q * s->q - 1];
	double		y_norm = hypot(norm_of(s->c, s->p), rest);

	if (work > QUAD_WORK)
		return work <= BAD_QUAD_WORK && fit->condition > BAD_CONDITION;
	for (size_t j = 0; j < s->p; j++)
		if (!(DBL_EPSILON * fit->condition * fit->v_error[j] * y_norm <= WANTED_PRECISION * fabs(fit->v[j])))
			return true;
	return false;
}

/* Ordinary least squares on columns of full rank; *done is false when the rank is in doubt. */
static MlStatus
solve_full_rank(MlEnv *env, const Solver *s, MlLeastSquaresFit *fit, bool *done)
{
	double	   *t = ml_alloc0(env, s->p * s->p, sizeof(double));
	double		rest = s->r[s->q * s->q - 1];

	*done = false;
	if (t == NULL)
		return env->error.status;
	memcpy(t, s->r22, s->p * s->p * sizeof(double));
	if (s->dense->triangular_inverse(s->p, t) != 0 || !certified(s, s->norm, t, &fit->condition))
	{
		ml_release(env, t);
		return ML_OK;
	}
	*done = true;
	times(s, t, s->p, s->c, fit->v);
	fit->intercept = intercept_at_zero(s, fit->v);
	fit->rss = rest * rest;
	fit->rank = s->p;
	fit->freedom = s->p;
	errors_of(s, t, s->p, NULL, 0, fit);
	ml_release(env, t);
	if (wants_quad(s, fit))
		ML_TRY(ml_least_squares_quad(env, s->problem, fit));
	return ML_OK;
}

/*
 * Ridge: the penalty as further rows sqrt(alpha) * factor.  With M = R'R + penalty the
 * estimate is M^-1 R' c and its covariance, at the true coefficients' place, M^-1 R'R M^-1
 * (Hoerl and Kennard 1970, eq. 4.5), g = M^-1 R'.
 */
static MlStatus
solve_ridge(MlEnv *env, const Solver *s, MlLeastSquaresFit *fit, bool *done)
{
	size_t		p = s->p;
	double	   *m = ml_alloc0(env, 2 * p * (p + 1), sizeof(double));
	double	   *tau = ml_alloc0(env, p + 1, sizeof(double));
	double	   *t = ml_alloc0(env, p * p, sizeof(double));
	double	   *k = ml_alloc0(env, p * p, sizeof(double));
	double		root = sqrt(s->problem->alpha);
	double		rest = s->r[s->q * s->q - 1];
	int			info;

	*done = false;
	if (m == NULL || tau == NULL || t == NULL || k == NULL)
		return env->error.status;
	for (size_t j = 0; j < p; j++)
	{
		memcpy(m + j * 2 * p, s->r22 + j * p, p * sizeof(double));
		/* A penalty beyond 1e100 in these units has made the coefficient 0 already. */
		m[j * 2 * p + p + j] = fmin(root * s->problem->scale->factor[j], 1e100);
	}
	memcpy(m + p * 2 * p, s->c, p * sizeof(double));
	info = s->dense->qr(2 * p, p + 1, m, tau);
	if (info != 0)
		return lapack_failed(env, "the QR decomposition", info);

	for (size_t j = 0; j < p; j++)
		memcpy(t + j * p, m + j * 2 * p, (j + 1) * sizeof(double));
	if (s->dense->triangular_inverse(p, t) != 0 || !certified(s, s->norm, t, &fit->condition))
		return ML_OK;
	*done = true;
	times(s, t, p, m + p * 2 * p, fit->v);

	/* k = R22 t, freedom = ||k||^2, g = t k' */
	s->dense->gemm(false, false, p, p, p, 1, s->r22, p, t, p, 0, k, p);
	fit->freedom = norm_of(k, p * p);
	fit->freedom *= fit->freedom;
	fit->rss = rest * rest;
	for (size_t i = 0; i < p; i++)
	{
		double		d = s->c[i];

		for (size_t j = i; j < p; j++)
			d -= s->r22[j * p + i] * fit->v[j];
		fit->rss += d * d;
	}
	s->dense->gemm(false, true, p, p, p, 1, t, p, k, p, 0, m, p);
	fit->rank = p;
	fit->intercept = intercept_at_zero(s, fit->v);
	errors_of(s, m, p, NULL, 0, fit);
	return ML_OK;
}

/* Is direction i of the decomposition (row i of vt) nothing but noise? */
static bool
is_null(const Solver *s, const double *singular, const double *vt, size_t i)
{
	double		noise = 0;

	for (size_t j = 0; j < s->p; j++)
		noise += fabs(vt[j * s->p + i]) * s->noise[j];
	return singular[i] <= fmax(s->rcond * singular[0], 4 * noise);
}

/* The general case: minimum-norm solution by the singular value decomposition of the triangle. */
static MlStatus
solve_deficient(MlEnv *env, const Solver *s, MlLeastSquaresFit *fit)
{
	size_t		p = s->p;
	double	   *a = ml_alloc0(env, p * p, sizeof(double));
	double	   *singular = ml_alloc0(env, p, sizeof(double));
	double	   *u = ml_alloc0(env, p * p, sizeof(double));
	double	   *vt = ml_alloc0(env, p * p, sizeof(double));
	double	   *g = ml_alloc0(env, p * p, sizeof(double));	/* columns: directions kept, divided by s; then the null ones */
	double	   *d = ml_alloc0(env, p, sizeof(double));
	double		rest = s->r[s->q * s->q - 1];
	size_t		kept = 0,
				null = 0;
	int			info;

	if (a == NULL || singular == NULL || u == NULL || vt == NULL || g == NULL || d == NULL)
		return env->error.status;
	memcpy(a, s->r22, p * p * sizeof(double));
	info = s->dense->svd(p, p, a, singular, u, vt);
	if (info != 0)
		return lapack_failed(env, "the singular value decomposition", info);

	fit->rss = rest * rest;
	for (size_t i = 0; i < p; i++)
	{
		bool		drop = is_null(s, singular, vt, i);
		double	   *column = g + (drop ? p - ++null : kept) * p;
		double		dot = 0;

		for (size_t j = 0; j < p; j++)
		{
			dot += u[i * p + j] * s->c[j];
			column[j] = drop ? vt[j * p + i] : vt[j * p + i] / singular[i];
		}
		if (drop)
			fit->rss += dot * dot;
		else
			d[kept++] = dot;
	}
	fit->condition = kept > 0 ? singular[0] / singular[kept - 1] : 1;
	times(s, g, kept, d, fit->v);
	if (null > 0)
		ML_TRY(ml_least_norm(env, p, null, g + kept * p, s->problem->scale->factor, fit->v));
	fit->rank = kept;
	fit->freedom = kept;
	fit->intercept = intercept_at_zero(s, fit->v);
	errors_of(s, g, kept, g + kept * p, null, fit);
	return ML_OK;
}

MlStatus
ml_least_norm(MlEnv *env, size_t p, size_t k, const double *null, const double *factor, double *v)
{
	double	   *a = ml_alloc0(env, p * (k + 1), sizeof(double));
	double	   *tau = ml_alloc0(env, k + 1, sizeof(double));
	double	   *c = a == NULL ? NULL : a + p * k;
	double		largest = 0;
	int			info;

	if (a == NULL || tau == NULL)
		return env->error.status;
	for (size_t j = 0; j < p; j++)
		largest = fmax(largest, factor[j]);
	for (size_t j = 0; j < p; j++)
	{
		double		f = factor[j] / largest;

		for (size_t i = 0; i < k; i++)
			a[i * p + j] = f * null[i * p + j];
		c[j] = -f * v[j];
	}
	/* min || F v + F N c ||: QR of F N, applied to -F v. */
	info = env->dense->qr(p, k, a, tau);
	if (info == 0)
		info = env->dense->qt_apply(p, k, 1, a, tau, c);
	if (info <= -1000)
		return lapack_failed(env, "the QR decomposition", info);
	for (size_t i = 0; info == 0 && i < k; i++)
		memmove(a + i * k, a + i * p, (i + 1) * sizeof(double));	/* the triangle alone, leading dimension k */
	if (info != 0 || env->dense->triangular_solve(false, k, 1, a, c) != 0 || !all_finite(c, k))
		return ML_OK;			/* the norm cannot be lowered any further in double precision */
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < p; j++)
			v[j] += null[i * p + j] * c[i];
	return ML_OK;
}

/* The singular value decomposition of more columns than this is too much for a mere figure. */
#define MAX_CONDITION_COLUMNS 300

/* Condition number of the centred columns divided by their deviations: of R22 with columns of norm 1. */
static MlStatus
column_condition(MlEnv *env, const Solver *s, double *condition)
{
	size_t		p = s->p;
	double	   *a;
	double	   *work;

	*condition = p == 0 ? 1 : NAN;
	if (p == 0 || p > MAX_CONDITION_COLUMNS)
		return ML_OK;
	a = ml_alloc0(env, p * p, sizeof(double));
	work = ml_alloc0(env, 2 * p * p + p, sizeof(double));
	if (a == NULL || work == NULL)
		return env->error.status;
	for (size_t j = 0; j < p; j++)
	{
		double		norm = norm_of(s->r22 + j * p, p);

		for (size_t i = 0; i < p; i++)
			a[j * p + i] = norm > 0 ? s->r22[j * p + i] / norm : 0;
	}
	if (s->dense->svd(p, p, a, work, work + p, work + p + p * p) != 0)
		return ML_OK;
	/* Beyond what doubles can tell, the columns are collinear. */
	if (work[p - 1] > DBL_EPSILON * work[0])
		*condition = work[0] / work[p - 1];
	return ML_OK;
}

size_t
ml_least_squares_memory(size_t n, size_t p)
{
	/* r, r22, and at most eight p x p matrices of one solver (ridge: 2 + 2, deficient: 4 and the QR of null vectors). */
	return ml_least_squares_reduce_memory(n, p + 2) + (ml_least_squares_by_gram(n, p + 2) ? ml_least_squares_gram_memory(p + 2) : 0) + 13 * (p + 2) * (p + 2) * sizeof(double) + 65536;
}

MlStatus
ml_least_squares(MlEnv *env, const MlLeastSquares *problem, MlLeastSquaresFit *fit)
{
	Solver		s;
	bool		done;

	memset(fit, 0, sizeof(*fit));
	memset(&s, 0, sizeof(s));
	ML_TRY(prepare(env, problem, &s));
	fit->total = norm_of(s.c, s.p);
	fit->total = hypot(fit->total, s.r[s.q * s.q - 1]);
	fit->total *= fit->total;
	ML_TRY(column_condition(env, &s, &fit->column_condition));
	fit->v = ml_alloc0(env, s.p, sizeof(double));
	fit->v_error = ml_alloc0(env, s.p, sizeof(double));
	if (fit->v == NULL || fit->v_error == NULL)
		return env->error.status;
	if (s.p == 0)
	{
		double		rest = s.r[s.q * s.q - 1];

		fit->intercept = s.first ? s.r[s.q] / s.r[0] : 0;
		fit->intercept_error = s.first ? 1 / fabs(s.r[0]) : NAN;
		fit->rss = rest * rest;
		fit->condition = 1;
		return ML_OK;
	}
	if (ml_canceled(env))
		return ml_fail(env, ML_CANCELED, "canceled");
	if (problem->alpha > 0)
		ML_TRY(solve_ridge(env, &s, fit, &done));
	else
		ML_TRY(solve_full_rank(env, &s, fit, &done));
	/* A penalty too small to be felt: its limit is the minimum-norm solution. */
	if (!done)
		ML_TRY(solve_deficient(env, &s, fit));
	return ML_OK;
}
