/** What a process of tests does after its last test, before it is looked at what they left. */
const actions: (() => Promise<void>)[] = [];

export function atEnd(action: () => Promise<void>): void {
  actions.push(action);
}

/** Runs the actions, the last one first. */
export async function runActionsAtEnd(): Promise<void> {
  for (let action = actions.pop(); action !== undefined; action = actions.pop()) await action();
}
