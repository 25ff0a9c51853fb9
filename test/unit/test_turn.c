/*-------------------------------------------------------------------------
 * test_turn.c
 *	  Rows become columns with the same bits, wherever they stand and whatever is asked for.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "ml/base/rng.h"
#include "ml/base/simd.h"
#include "ml/data/turn.h"

#define MOST_ROWS 67
#define MOST_COLUMNS 40
#define ROOM (MOST_ROWS + ML_TURN_ROWS)

/* Memory that ends where the last value ends: whoever reads on is caught by the sanitizer. */
static char *
make_rows(size_t n, size_t bytes, const char **row, uint64_t seed)
{
	char	   *memory = malloc(n * bytes + (n == 0));

	for (size_t i = 0; i < n * bytes; i++)
		memory[i] = (char) ml_rng_u64(seed, 1, i);	/* any bits: NaN of any kind, denormals */
	for (size_t i = 0; i < n; i++)
		row[i] = memory + ml_rng_u64(seed, 2, i) % n * bytes;
	return memory;
}

/* Columns next to each other in runs of this length, some twice, then a gap; the last one ends with the row. */
static size_t
make_offsets(int columns, int run, uint32_t *offset)
{
	uint32_t	at = 3;			/* no row is aligned */

	for (int c = 0; c < columns; c++)
	{
		if (c > 0 && c % run == 0)
			at += 5;
		offset[c] = c > 0 && c % 11 == 10 ? offset[c - 1] : at;
		at += c > 0 && c % 11 == 10 ? 0 : (uint32_t) sizeof(double);
	}
	return at;
}

static size_t
wrong_values(size_t n, int columns, int run)
{
	static double to[MOST_COLUMNS * ROOM];
	const char *row[MOST_ROWS];
	uint32_t	offset[MOST_COLUMNS];
	size_t		bytes = make_offsets(columns, run, offset);
	char	   *memory = make_rows(n, bytes, row, n * 100 + (size_t) columns);
	size_t		wrong = 0;

	for (int tier = ML_TIER_BASELINE; tier <= ML_TIER_AVX512; tier++)
	{
		ml_simd_limit((MlSimdTier) tier);
		memset(to, 0x55, sizeof(to));
		ml_turn_rows(row, n, offset, columns, to, ROOM);
		for (int c = 0; c < columns; c++)
		{
			for (size_t i = 0; i < ROOM; i++)
			{
				const char *value = (const char *) &to[(size_t) c * ROOM + i];

				if (i < n)
					wrong += memcmp(value, row[i] + offset[c], sizeof(double)) != 0;
				else if (i >= (n + ML_TURN_ROWS - 1) / ML_TURN_ROWS * ML_TURN_ROWS)
					wrong += value[0] != 0x55;	/* beyond the last group nothing is written */
			}
		}
	}
	free(memory);
	return wrong;
}

int
main(void)
{
	for (size_t n = 0; n <= MOST_ROWS; n += n < 20 ? 1 : 47)
	{
		size_t		wrong = 0;

		for (int columns = 1; columns <= MOST_COLUMNS; columns++)
		{
			for (int run = 1; run <= 13; run++)
				wrong += wrong_values(n, columns, run);
		}
		CHECK(wrong == 0);
	}
	return unit_done();
}
