/**
 * Tells when nothing has been in use for a while: no open connection and no box.
 */
export class IdleWatch implements Disposable {
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param limitMs how long nothing must be in use
   * @param isBusy whether something is in use now
   * @param idle is called at the end of that time
   */
  constructor(
    private readonly limitMs: number,
    private readonly isBusy: () => boolean,
    private readonly idle: () => void,
  ) {}

  /** To be called whenever something came into use or went out of use. */
  changed(): void {
    clearTimeout(this.#timer);
    this.#timer = this.isBusy() ? undefined : setTimeout(() => this.#expire(), this.limitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #expire(): void {
    if (this.isBusy()) this.changed();
    else this.idle();
  }
}
