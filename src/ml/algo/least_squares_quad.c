/*-------------------------------------------------------------------------
 * least_squares_quad.c
 *	  Least squares in quadruple precision, for badly conditioned columns.
 *
 * With a condition number of 1e10 (Filippelli's polynomial) a stable method in
 * double precision keeps six digits.  The same triangle formed by Givens rotations
 * in 113-bit arithmetic keeps them all: what remains is the rounding of the data.  It is software
 * arithmetic, some fifty times slower, so it is used where that costs little.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ml/algo/least_squares.h"
#include "ml/base/arena.h"

#ifdef __SIZEOF_FLOAT128__
typedef __float128 Quad;
#else
typedef long double Quad;
#endif

static Quad
quad_abs(Quad x)
{
	return x < 0 ? -x : x;
}

/* Newton's iteration from the double root: 53, 106, more than 113 bits.  a must be in the range of a double. */
static Quad
quad_sqrt(Quad a)
{
	Quad		x = sqrt((double) a);

	if (!(a > 0))
		return 0;
	x = (x + a / x) / 2;
	return (x + a / x) / 2;
}

/* sqrt(a^2 + b^2) without overflow, not both 0 */
static Quad
quad_hypot(Quad a, Quad b)
{
	Quad		big = quad_abs(a) > quad_abs(b) ? quad_abs(a) : quad_abs(b);
	Quad		small = quad_abs(a) > quad_abs(b) ? quad_abs(b) : quad_abs(a);
	Quad		ratio = small / big;

	return big * quad_sqrt(1 + ratio * ratio);
}

/* Turns the row into the triangle r (q x q, row-major). */
static void
rotate_row(size_t q, Quad *r, Quad *row)
{
	for (size_t j = 0; j < q; j++)
	{
		Quad	   *rj = r + j * q;
		Quad		length,
					c,
					s;

		if (row[j] == 0)
			continue;
		length = quad_hypot(rj[j], row[j]);
		c = rj[j] / length;
		s = row[j] / length;
		rj[j] = length;
		for (size_t k = j + 1; k < q; k++)
		{
			Quad		old = rj[k];

			rj[k] = c * old + s * row[k];
			row[k] = c * row[k] - s * old;
		}
	}
}

static Quad
exact(double x, double center, double factor)
{
	return ((Quad) x - (Quad) center) * factor;
}

static MlStatus
triangle(MlEnv *env, const MlLeastSquares *ls, size_t q, Quad *r, Quad *row)
{
	const MlDesignScale *scale = ls->scale;
	size_t		pause = 1 + 20000 / (q * q);

	for (size_t i = 0; i < ls->data->n_train; i++)
	{
		Quad		root = quad_sqrt(ml_design_weight(ls->design, ls->data, i));

		if (i % pause == 0 && ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		if (root == 0)
			continue;
		if (ls->intercept)
			row[0] = root;
		for (int j = 0; j < scale->n; j++)
		{
			double		x;

			ml_design_read(ls->design, ls->data, scale->column[j], i, 1, 0, 1, &x);
			row[ls->intercept + j] = root * exact(x, scale->center[j], scale->factor[j]);
		}
		row[q - 1] = root * exact(ls->data->y[i], ls->y_center, ls->y_factor);
		rotate_row(q, r, row);
	}
	return ML_OK;
}

/* t = inverse of the leading m x m part of r; false when singular. */
static bool
invert(size_t m, size_t q, const Quad *r, Quad *t)
{
	for (size_t i = m; i-- > 0;)
	{
		if (!(quad_abs(r[i * q + i]) > 0))
			return false;
		for (size_t k = 0; k < i; k++)
			t[i * m + k] = 0;
		t[i * m + i] = 1 / r[i * q + i];
		for (size_t k = i + 1; k < m; k++)
		{
			Quad		sum = 0;

			for (size_t l = i + 1; l <= k; l++)
				sum += r[i * q + l] * t[l * m + k];
			t[i * m + k] = -sum / r[i * q + i];
		}
	}
	return true;
}

/* Solution and errors from the inverse; c is the last column of r. */
static void
read_off(const MlLeastSquares *ls, size_t m, size_t q, const Quad *r, Quad *t, MlLeastSquaresFit *fit)
{
	size_t		p = ls->scale->n;
	size_t		first = ls->intercept;

	/* The first row becomes that of the intercept at x = 0: less center_j * factor_j times row j. */
	for (size_t j = 0; first == 1 && j < p; j++)
	{
		Quad		h = (Quad) ls->scale->center[j] * ls->scale->factor[j];

		for (size_t k = 0; k < m; k++)
			t[k] -= h * t[(j + 1) * m + k];
	}
	fit->intercept = 0;
	fit->intercept_error = NAN;
	for (size_t i = 0; i < m; i++)
	{
		Quad		value = 0,
					squares = 0;

		for (size_t k = 0; k < m; k++)
		{
			value += t[i * m + k] * r[k * q + q - 1];
			squares += t[i * m + k] * t[i * m + k];
		}
		if (first == 1 && i == 0)
		{
			fit->intercept = (double) value;
			fit->intercept_error = (double) quad_sqrt(squares);
		}
		else
		{
			fit->v[i - first] = (double) value;
			fit->v_error[i - first] = (double) quad_sqrt(squares);
		}
	}
	fit->rss = (double) (r[(q - 1) * q + q - 1] * r[(q - 1) * q + q - 1]);
	fit->rank = p;
	fit->freedom = (double) p;
}

MlStatus
ml_least_squares_quad(MlEnv *env, const MlLeastSquares *ls, MlLeastSquaresFit *fit)
{
	size_t		m = (size_t) ls->intercept + ls->scale->n;
	size_t		q = m + 1;
	Quad	   *r,
			   *t,
			   *row;

	r = ml_alloc0(env, q * q, sizeof(Quad));
	t = ml_alloc0(env, m * m, sizeof(Quad));
	row = ml_alloc0(env, q, sizeof(Quad));
	if (r == NULL || t == NULL || row == NULL)
		return env->error.status;
	ML_TRY(triangle(env, ls, q, r, row));
	if (invert(m, q, r, t))
		read_off(ls, m, q, r, t, fit);
	return ML_OK;
}
