/*-------------------------------------------------------------------------
 * tables.h
 *	  The sets of test/data, read for tests.
 *-------------------------------------------------------------------------
 */
#ifndef TABLES_H
#define TABLES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Table
{
	size_t		n;
	int			p;
	double	   *x;				/* n x p */
	double	   *y;
} Table;

/* A set of test/data; the target is the last column, words are numbered as they are met. */
__attribute__((unused))
static Table
read_table(const char *name)
{
	char		path[200];
	char		line[4096];
	char		words[8][64] = {{0}};
	FILE	   *file;
	Table		t = {0};

	snprintf(path, sizeof(path), "test/data/%s.csv", name);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(2);
	}
	for (const char *s = line; *s; s++)
		t.p += *s == ',';
	t.x = malloc(sizeof(double) * 4000 * (size_t) t.p);
	t.y = malloc(sizeof(double) * 4000);
	for (; t.n < 4000 && fgets(line, sizeof(line), file) != NULL; t.n++)
	{
		char	   *s = line;
		char	   *end;
		int			word = 0;

		for (int f = 0; f < t.p; f++, s++)
			t.x[t.n * (size_t) t.p + (size_t) f] = strtod(s, &s);
		t.y[t.n] = strtod(s, &end);
		if (end != s)
			continue;
		s[strcspn(s, "\r\n")] = '\0';
		for (; word < 7 && words[word][0] != '\0' && strcmp(words[word], s) != 0; word++)
			;
		snprintf(words[word], sizeof(words[word]), "%s", s);
		t.y[t.n] = word;
	}
	fclose(file);
	return t;
}

#endif							/* TABLES_H */
