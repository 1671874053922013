-- The table of a holder base. Its application id is 0x53534842 (SSHB), its user version 1.
-- first and last are card numbers without their check character; the highest id is the newest entry.
CREATE TABLE listed (
    id INTEGER PRIMARY KEY,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    standing TEXT NOT NULL,
    UNIQUE (first, last)
);
CREATE INDEX ranges ON listed (first, last) WHERE first < last;
