\echo Use "CREATE EXTENSION mlplat" to load this file. \quit
