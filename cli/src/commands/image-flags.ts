/** Only names or ids on stdout, and no progress. */
export const quietFlag = { quiet: { kind: 'boolean', char: 'q', summary: 'print no progress' } } as const;
