/** Version of the tables below; kept in the database's `user_version` (docs/compatibility.md). */
export const SCHEMA_VERSION = 1;

/** Tables that came later; made where they are missing. */
export const ADDITIONS = `
  CREATE TABLE IF NOT EXISTS volumes (
    name TEXT PRIMARY KEY,
    created_ns INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    attributes TEXT NOT NULL
  ) STRICT
`;

export const SCHEMA = `
  CREATE TABLE boxes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE ledger (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    box TEXT NOT NULL,
    kind TEXT NOT NULL,
    resource TEXT NOT NULL
  ) STRICT;
  CREATE INDEX ledger_by_box ON ledger (box);
  CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT
`;
