-- Creates and fills the tables that README.md describes, in the first schema of search_path.
--   directory       where the CSV files are (default test/data)
--   customer_rows   how many customers to generate (default 200000; 0 for no such table)
\if :{?directory}
\else
\set directory test/data
\endif
\set back `pwd`
\cd :directory

CREATE TABLE iris (sepal_length float8, sepal_width float8, petal_length float8, petal_width float8, species text);
\copy iris FROM 'iris.csv' WITH (FORMAT csv, HEADER)

CREATE TABLE wine (
	alcohol float8, malic_acid float8, ash float8, alcalinity_of_ash float8, magnesium float8, total_phenols float8,
	flavanoids float8, nonflavanoid_phenols float8, proanthocyanins float8, color_intensity float8, hue float8,
	od280_od315 float8, proline float8, cultivar int);
\copy wine FROM 'wine.csv' WITH (FORMAT csv, HEADER)

CREATE TABLE breast_cancer (
	mean_radius float8, mean_texture float8, mean_perimeter float8, mean_area float8, mean_smoothness float8,
	mean_compactness float8, mean_concavity float8, mean_concave_points float8, mean_symmetry float8, mean_fractal_dimension float8,
	radius_error float8, texture_error float8, perimeter_error float8, area_error float8, smoothness_error float8,
	compactness_error float8, concavity_error float8, concave_points_error float8, symmetry_error float8, fractal_dimension_error float8,
	worst_radius float8, worst_texture float8, worst_perimeter float8, worst_area float8, worst_smoothness float8,
	worst_compactness float8, worst_concavity float8, worst_concave_points float8, worst_symmetry float8, worst_fractal_dimension float8,
	malignant boolean);
\copy breast_cancer FROM 'breast_cancer.csv' WITH (FORMAT csv, HEADER)

CREATE TABLE diabetes (
	age float8, sex float8, bmi float8, bp float8, s1 float8, s2 float8, s3 float8, s4 float8, s5 float8, s6 float8,
	progression float8);
\copy diabetes FROM 'diabetes.csv' WITH (FORMAT csv, HEADER)

-- One column per pixel in the file, one array in the table.
SELECT 'CREATE TEMPORARY TABLE digits_csv (' || string_agg('p' || i || ' smallint', ', ' ORDER BY i) || ', digit int)'
FROM generate_series(0, 63) i
\gexec
\copy digits_csv FROM 'digits.csv' WITH (FORMAT csv, HEADER)
CREATE TABLE digits (pixels smallint[], digit int);
SELECT 'INSERT INTO digits SELECT ARRAY[' || string_agg('p' || i, ', ' ORDER BY i) || '], digit FROM digits_csv'
FROM generate_series(0, 63) i
\gexec
DROP TABLE digits_csv;

\cd :back
\ir customers.sql

VACUUM ANALYZE iris, wine, breast_cancer, diabetes, digits, customers;
