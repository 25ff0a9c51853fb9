/*-------------------------------------------------------------------------
 * data.h
 *	  Rows for benchmarks: the same on every machine, row i whatever the number of rows.
 *
 * All values are exactly float32, so that a peer that works on them sees the same numbers.
 *-------------------------------------------------------------------------
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ml/base/rng.h"

#define BENCH_MAX_COLUMNS 64

static double
uniform(uint64_t stream, size_t i)
{
	return ml_rng_uniform(11, stream, i);
}

static double
normal(uint64_t stream, size_t i)
{
	return sqrt(-2 * log(1 - uniform(2 * stream + 1000, i))) * cos(6.283185307179586 * uniform(2 * stream + 1001, i));
}

static double
higgs_logit(const double *x)
{
	double		s = 1.1 * sin(1.3 * x[0]) * x[1] + 0.9 * fabs(x[2]) - 0.8 * (x[3] > 0.4) * x[4] + 0.7 * x[5] * x[6]
		+ 0.6 * tanh(2 * x[7] * x[8]) + 0.8 * (x[9] * x[10] > 0.3) - 0.5 * x[11] * x[11] + 0.5 * x[21]
		+ 0.5 * log(x[22] + 0.1) - 0.6 * x[23]
		+ 0.9 * ((x[24] - 1) * (x[24] - 1) + (x[25] - 1) * (x[25] - 1) < 0.5) + 0.4 * x[26] * (x[27] > 1);

	return 1.25 * (s - 0.05);
}

/* Physics-like: 21 normal columns, 7 skewed ones, two with few values, two that follow from others. */
static double
higgs_row(size_t i, double *x)
{
	for (int f = 0; f < 21; f++)
		x[f] = (float) normal((uint64_t) f, i);
	for (int f = 21; f < 28; f++)
		x[f] = (float) -log(1 - uniform((uint64_t) f, i));
	x[12] = round(x[12] * 2) / 2;
	x[13] = x[13] > 0.8;
	x[14] = (float) (0.7 * x[0] + 0.3 * x[14]);
	x[15] = (float) (x[1] * x[2]);
	return uniform(99, i) < 1 / (1 + exp(-higgs_logit(x)));
}

/* Its first twenty columns. */
static double
higgs20_row(size_t i, double *x)
{
	double		row[28];
	double		y = higgs_row(i, row);

	memcpy(x, row, 20 * sizeof(double));
	return y;
}

static double
reg_row(size_t i, double *x)
{
	double		y;

	for (int f = 0; f < 20; f++)
		x[f] = (float) uniform((uint64_t) f, i);
	y = 10 * sin(M_PI * x[0] * x[1]) + 20 * (x[2] - .5) * (x[2] - .5) + 10 * x[3] + 5 * x[4] + 3 * (x[15] > .5) * x[16];
	for (int f = 5; f < 15; f++)
		y += x[f] * normal(500, (size_t) f);
	return (float) (y + normal(98, i));
}

/* Four numbers, then four categories of 7, 20, 300 and 5000 levels, the later ones unevenly frequent. */
static const int flights_levels[4] = {7, 20, 300, 5000};

static double
flights_row(size_t i, double *x)
{
	double		s = -1.6;

	x[0] = (float) (uniform(0, i) * 24);
	x[1] = (float) exp(6.4 + .7 * normal(1, i));
	x[2] = (float) (-5 * log((1 - uniform(2, i)) * (1 - uniform(3, i))));
	x[3] = (float) normal(4, i);
	for (int c = 0; c < 4; c++)
	{
		double		u = uniform(10 + (uint64_t) c, i);
		int			k = (int) (pow(u, c == 0 ? 1 : 5) * flights_levels[c]);

		x[4 + c] = (k * 7919 + 13) % flights_levels[c];
		s += (.3 + .17 * c) * normal(600 + (uint64_t) c, (size_t) x[4 + c]);
	}
	s += .5 * normal(700, (size_t) (x[4] * 20 + x[5])) + .09 * (x[0] - 8) * (x[0] > 8)
		+ .6 * pow(fmax(x[3], 0), 1.5) - .15 * log(x[1] / 600) + .01 * x[2];
	return uniform(97, i) < 1 / (1 + exp(-1.1 * s));
}

/* Ten classes, sixty-four columns of few values each. */
static double
digits_row(size_t i, double *x)
{
	size_t		k = ml_rng_u64(12, 96, i) % 10;

	for (int f = 0; f < 64; f++)
		x[f] = fmin(16, fmax(0, round(8 + 6 * normal(800 + (uint64_t) f, k) + 5 * normal((uint64_t) f, i))));
	return (double) k;
}

static double
lowrank_direction(int f, int r)
{
	static double direction[50][10];
	static bool made = false;

	for (int d = 0; !made && d < 500; d++)
		direction[d / 10][d % 10] = normal(900 + (uint64_t) (d / 10), (size_t) (d % 10));
	made = true;
	return direction[f][r];
}

/* Twenty round clouds in twenty dimensions. */
static double
blobs_row(size_t i, double *x)
{
	size_t		k = ml_rng_u64(13, 95, i) % 20;

	for (int f = 0; f < 20; f++)
		x[f] = (float) (6 * uniform(850 + (uint64_t) f, k) - 3 + normal((uint64_t) f, i));
	return (double) k;
}

/* Fifty columns, ten directions of them strong, with noise. */
static double
lowrank_row(size_t i, double *x)
{
	double		z[10];

	for (int r = 0; r < 10; r++)
		z[r] = (3 - 2 * r / 9.0) * normal(60 + (uint64_t) r, i);
	for (int f = 0; f < 50; f++)
	{
		double		v = normal((uint64_t) f, i);

		for (int r = 0; r < 10; r++)
			v += z[r] * lowrank_direction(f, r);
		x[f] = (float) v;
	}
	return 0;
}

typedef struct Kind
{
	const char *name;
	int			p;
	int			numbers;		/* the rest are categories */
	int			classes;		/* 0: the target is a number */
	double		(*row) (size_t i, double *x);
} Kind;

static const Kind kinds[] = {
	{"higgs", 28, 28, 2, higgs_row},
	{"higgs20", 20, 20, 2, higgs20_row},
	{"reg", 20, 20, 0, reg_row},
	{"flights", 8, 4, 2, flights_row},
	{"digits", 64, 64, 10, digits_row},
	{"blobs", 20, 20, 20, blobs_row},
	{"lowrank", 50, 50, 0, lowrank_row}
};

static const Kind *
kind_named(const char *name)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (strcmp(kinds[k].name, name) == 0)
			return &kinds[k];
	printf("no data called \"%s\"\n", name);
	exit(2);
}

#endif							/* BENCH_DATA_H */
