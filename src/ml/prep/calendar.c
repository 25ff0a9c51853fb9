/*-------------------------------------------------------------------------
 * calendar.c
 *	  Days since 2000-01-01 and their parts in the proleptic Gregorian calendar.
 *
 * The conversions are those of H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms": years begin in March, so that the leap day is the last of a year.
 *-------------------------------------------------------------------------
 */
#include "ml/prep/calendar.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_PER_DAY 86400

/* Days from 0000-03-01 to 2000-01-01. */
#define DAYS_TO_2000 730425

/* More than any date of PostgreSQL, and far from where integers would overflow. */
#define MOST_DAYS 4e9

typedef struct Civil
{
	int64_t		year;
	int			month;			/* 1 .. 12 */
	int			day;			/* 1 .. 31 */
} Civil;

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static Civil
civil_of(int64_t days)
{
	int64_t		z = days + DAYS_TO_2000;
	int64_t		era = floor_div(z, 146097);
	int64_t		day_of_era = z - era * 146097;
	int64_t		year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t		day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t		m = (5 * day_of_year + 2) / 153;
	Civil		c;

	c.day = (int) (day_of_year - (153 * m + 2) / 5 + 1);
	c.month = (int) (m < 10 ? m + 3 : m - 9);
	c.year = year_of_era + era * 400 + (c.month <= 2);
	return c;
}

static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;
	int64_t		era = floor_div(y, 400);
	int64_t		year_of_era = y - era * 400;
	int64_t		day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t		day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - DAYS_TO_2000;
}

static double
part_of_day(MlDatePart part, int64_t days)
{
	Civil		c = civil_of(days);

	switch (part)
	{
		case ML_PART_OF_YEAR:
			return (double) c.year;
		case ML_PART_OF_QUARTER:
			return (c.month + 2) / 3;
		case ML_PART_OF_MONTH:
			return c.month;
		case ML_PART_OF_DAY:
			return c.day;
		case ML_PART_OF_WEEKDAY:
			return (double) (days + 5 - 7 * floor_div(days + 5, 7) + 1);	/* 2000-01-01 was a Saturday */
		default:
			return (double) (days - days_of(c.year, 1, 1) + 1);
	}
}

double
ml_date_part(MlDatePart part, MlTimeUnit unit, double origin, double value)
{
	double		per_day = unit == ML_UNIT_DAYS ? 1 : SECONDS_PER_DAY;
	double		days = value / per_day;
	int64_t		whole;
	double		seconds;

	if (!(days > -MOST_DAYS && days < MOST_DAYS))
		return NAN;				/* also for NaN */
	if (part == ML_PART_OF_ELAPSED)
		return (value - origin) / per_day;
	whole = (int64_t) days;
	whole -= (double) whole > days;
	if (part <= ML_PART_OF_DAY_OF_YEAR)
		return part_of_day(part, whole);

	/* Exact, for a whole number of days in seconds is. */
	seconds = unit == ML_UNIT_DAYS ? 0 : value - (double) whole * SECONDS_PER_DAY;
	if (part == ML_PART_OF_HOUR)
		return (double) (int64_t) (seconds / 3600);
	if (part == ML_PART_OF_MINUTE)
		return (double) ((int64_t) (seconds / 60) % 60);
	return seconds - 60 * (double) (int64_t) (seconds / 60);
}

bool
ml_date_parse(const char *text, double *days)
{
	int			year,
				month,
				day,
				hour = 0,
				minute = 0;
	double		second = 0;
	int			used = 0;
	Civil		back;

	if (sscanf(text, "%5d-%2d-%2d%n", &year, &month, &day, &used) != 3 || month < 1 || month > 12 || day < 1)
		return false;
	text += used;
	if ((*text == ' ' || *text == 'T') && text[1] != '\0')
	{
		used = 0;
		if (sscanf(text + 1, "%2d:%2d%n", &hour, &minute, &used) != 2)
			return false;
		text += 1 + used;
		used = 0;
		if (*text == ':' && sscanf(text + 1, "%9lf%n", &second, &used) != 1)
			return false;
		text += *text == ':' ? 1 + used : 0;
	}
	if (*text != '\0' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(second >= 0 && second < 60))
		return false;
	back = civil_of(days_of(year, month, day));
	if (back.year != year || back.month != month || back.day != day)
		return false;			/* such as February 30th */
	*days = (double) days_of(year, month, day) + (hour * 3600 + minute * 60 + second) / SECONDS_PER_DAY;
	return true;
}
