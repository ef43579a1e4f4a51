/** Output for programs; errors of the command are JSON then too. */
export const jsonFlag = { json: { kind: 'boolean', summary: 'print JSON' } } as const;
