-- The tables of a card file. Its application id is 0x53534344 (SSCD), its user version that of the images.
CREATE TABLE card (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE key (name TEXT, version INTEGER, value TEXT NOT NULL, PRIMARY KEY (name, version)) WITHOUT ROWID;
-- The name of each cell; kind is the table with its value, number the row in it, from 1.
CREATE TABLE cell (kind TEXT, number INTEGER, name TEXT NOT NULL, PRIMARY KEY (kind, number)) WITHOUT ROWID;
-- Row 0 is the stamp of the file.
CREATE TABLE number (number INTEGER PRIMARY KEY, value NOT NULL);
CREATE TABLE string (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
-- The memory's own log, if the power was cut in a transaction: cells, and a row 'complete'.
CREATE TABLE log (kind TEXT, number INTEGER, value NOT NULL, PRIMARY KEY (kind, number)) WITHOUT ROWID;
