/** Says that a VM stopped itself because the host had no room for what it wrote. */
export class SpaceAlarm {
  #raised = false;
  readonly #listeners = new Set<() => void>();

  raise(): void {
    this.#raised = true;
    for (const listener of this.#listeners) listener();
  }

  /** The VM is about to go on. */
  clear(): void {
    this.#raised = false;
  }

  /** Calls back at each alarm from now on, and soon when there is one. @returns takes the callback away */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#raised) queueMicrotask(() => this.#listeners.has(listener) && listener());
    return () => this.#listeners.delete(listener);
  }
}
