/*-------------------------------------------------------------------------
 * lanes.h
 *	  Eight doubles at once, in portable C.
 *
 * The compiler's vector types: two, four or eight registers' worth of work,
 * depending on the target of the function that these are inlined into, and the
 * same operations in the same order in each lane.  So the bits are those of the
 * scalar functions in elementary.c, on every tier.
 *-------------------------------------------------------------------------
 */
#ifndef ML_BASE_LANES_H
#define ML_BASE_LANES_H

#include <stdint.h>
#include <string.h>

#define ML_LANES 8

typedef double MlLanes __attribute__((vector_size(64)));
typedef int64_t MlLanesInt __attribute__((vector_size(64)));

/* Vectors as arguments are always inlined, so how they would be passed does not matter. */
#define ML_LANES_INLINE static inline __attribute__((always_inline))

/* All these take pointers: no function passes a vector by value, whose convention depends on the target. */
ML_LANES_INLINE void
ml_lanes_load(MlLanes *v, const double *from)
{
	memcpy(v, from, sizeof(*v));
}

ML_LANES_INLINE void
ml_lanes_store(double *to, const MlLanes *v)
{
	memcpy(to, v, sizeof(*v));
}

/* *v = condition ? *v : *other, by lane; conditions are 0 or -1. */
ML_LANES_INLINE void
ml_lanes_choose(MlLanes *v, const MlLanesInt *condition, const MlLanes *other)
{
	*v = (MlLanes) ((*condition & (MlLanesInt) *v) | (~*condition & (MlLanesInt) *other));
}

/* Always in this order. */
ML_LANES_INLINE double
ml_lanes_sum(const MlLanes *v)
{
	const MlLanes s = *v;

	return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

/*
 * exp(x) for -746 <= x <= 0, as ml_exp(): the same steps, without branches.
 * What is below the smallest double is 0.
 */
ML_LANES_INLINE void
ml_lanes_exp(MlLanes *result, const MlLanes *argument)
{
	const double round_to_int = 0x1.8p52;
	MlLanes		x = *argument;
	MlLanes		shifted = x * 1.44269504088896338700e+00 + round_to_int;
	MlLanes		k = shifted - round_to_int;
	MlLanes		hi = x - k * 6.93147180369123816490e-01;
	MlLanes		lo = k * 1.90821492927058770002e-10;
	MlLanes		r = hi - lo;
	MlLanes		t = r * r;
	MlLanes		c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 + t *
		(6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))));
	MlLanes		y = 1 + (r * c / (2 - c) - lo + hi);
	/* k as an integer stands in the low bits of "shifted". */
	MlLanesInt	n = (MlLanesInt) shifted - INT64_C(0x4338000000000000);
	MlLanesInt	deep = n < -1021;
	MlLanesInt	first = (n + (deep & 1000) + 1023) << 52;
	MlLanes		second = {0x1p-1000, 0x1p-1000, 0x1p-1000, 0x1p-1000, 0x1p-1000, 0x1p-1000, 0x1p-1000, 0x1p-1000};
	MlLanes		one = {1, 1, 1, 1, 1, 1, 1, 1};
	MlLanesInt	vanishes = x < -745.13321910194110842;

	ml_lanes_choose(&second, &deep, &one);
	y = y * (MlLanes) first * second;
	*result = (MlLanes) (~vanishes & (MlLanesInt) y);
}

/* 1 / (1 + exp(-x)), as ml_sigmoid(); any x but NaN. */
ML_LANES_INLINE void
ml_lanes_sigmoid(MlLanes *result, const MlLanes *argument)
{
	MlLanes		x = *argument;
	MlLanes		least = {-746, -746, -746, -746, -746, -746, -746, -746};
	MlLanes		one = {1, 1, 1, 1, 1, 1, 1, 1};
	MlLanes		minus = (MlLanes) ((MlLanesInt) x | INT64_MIN);	/* -|x| */
	MlLanesInt	inside = minus > least;
	MlLanesInt	positive = x >= 0;
	MlLanes		e;
	MlLanes		above = one;

	ml_lanes_choose(&minus, &inside, &least);
	ml_lanes_exp(&e, &minus);
	ml_lanes_choose(&above, &positive, &e);
	*result = above / (1 + e);
}

/* log(1 + x) for 0 <= x <= 1, by the steps of ml_log1p(). */
ML_LANES_INLINE void
ml_lanes_log1p_unit(MlLanes *result, const MlLanes *argument)
{
	MlLanes		x = *argument;
	MlLanes		zero = {0};
	MlLanes		u = 1 + x;
	MlLanesInt	upper = x > 0.41421356237309503;
	MlLanes		f = 0.5 * u - 1;
	MlLanes		c = (x - (u - 1)) / u;	/* what 1 + x has lost, relative to it */
	MlLanes		dk = zero + 1;
	MlLanes		half_square,
				s,
				z,
				w,
				tail;

	ml_lanes_choose(&f, &upper, &x);
	ml_lanes_choose(&c, &upper, &zero);
	ml_lanes_choose(&dk, &upper, &zero);
	half_square = 0.5 * f * f;
	s = f / (2 + f);
	z = s * s;
	w = z * z;
	tail = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)) +
		z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
	tail = s * (half_square + tail);
	*result = tail + (dk * 1.90821492927058770002e-10 + c) - half_square + f + dk * 6.93147180369123816490e-01;
}

#endif							/* ML_BASE_LANES_H */
