/*-------------------------------------------------------------------------
 * make_data.c
 *	  Writes rows of data.h to the standard output.
 *
 *	  make_data KIND FIRST ROWS float32	n x (p + 1) float32, the target last, categories as their codes
 *	  make_data KIND FIRST ROWS copy	for COPY ... (FORMAT binary): id int4, p columns, the target
 *	  make_data KIND create		the columns of a table for that
 *
 * Columns of numbers are called f0, f1, ... and are float8, categories c0, c1, ... and text; the target
 * is y: boolean with two classes, int4 with more, else float8.
 *-------------------------------------------------------------------------
 */
#include "data.h"

static void
put16(uint16_t v)
{
	putchar_unlocked(v >> 8);
	putchar_unlocked(v & 255);
}

static void
put32(uint32_t v)
{
	put16((uint16_t) (v >> 16));
	put16((uint16_t) v);
}

static void
put_double(double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	put32(8);
	put32((uint32_t) (bits >> 32));
	put32((uint32_t) bits);
}

static void
put_category(int code)
{
	char		text[16];
	int			length = snprintf(text, sizeof(text), "v%d", code);

	put32((uint32_t) length);
	fwrite(text, 1, (size_t) length, stdout);
}

static void
put_target(const Kind *kind, double y)
{
	if (kind->classes == 0)
		put_double(y);
	else if (kind->classes == 2)
	{
		put32(1);
		putchar_unlocked(y > 0.5);
	}
	else
	{
		put32(4);
		put32((uint32_t) y);
	}
}

static void
copy_row(const Kind *kind, size_t i)
{
	double		x[BENCH_MAX_COLUMNS];
	double		y = kind->row(i, x);

	put16((uint16_t) (kind->p + 2));
	put32(4);
	put32((uint32_t) i);
	for (int f = 0; f < kind->p; f++)
	{
		if (f < kind->numbers)
			put_double(x[f]);
		else
			put_category((int) x[f]);
	}
	put_target(kind, y);
}

static void
float32_row(const Kind *kind, size_t i)
{
	double		x[BENCH_MAX_COLUMNS];
	float		row[BENCH_MAX_COLUMNS + 1];

	row[kind->p] = (float) kind->row(i, x);
	for (int f = 0; f < kind->p; f++)
		row[f] = (float) x[f];
	fwrite(row, sizeof(float), (size_t) kind->p + 1, stdout);
}

static void
print_columns(const Kind *kind)
{
	printf("id int4");
	for (int f = 0; f < kind->p; f++)
		printf(f < kind->numbers ? ", f%d float8" : ", c%d text", f < kind->numbers ? f : f - kind->numbers);
	printf(", y %s\n", kind->classes == 0 ? "float8" : kind->classes == 2 ? "boolean" : "int4");
}

int
main(int argc, char **argv)
{
	const Kind *kind = kind_named(argc > 1 ? argv[1] : "");
	size_t		first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t		rows = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	bool		copy = argc > 4 && strcmp(argv[4], "copy") == 0;

	if (argc < 5)
	{
		print_columns(kind);
		return 0;
	}
	if (copy)
	{
		fwrite("PGCOPY\n\377\r\n", 1, 11, stdout);	/* with the zero byte at its end */
		put32(0);
		put32(0);
	}
	for (size_t i = first; i < first + rows; i++)
		(copy ? copy_row : float32_row) (kind, i);
	if (copy)
		put16(0xffff);
	return fflush(stdout) != 0 || ferror(stdout);
}
