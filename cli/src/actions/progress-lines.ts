import type { Writable } from 'node:stream';
import { humanSize } from '../views/human-size.js';

/** One step of a long operation; see the client's `onProgress`. */
export interface Step {
  readonly item: string;
  readonly phase: string;
  readonly done: number;
  readonly total?: number;
}

const WORDS: Readonly<Record<string, string>> = {
  waiting: 'Waiting',
  downloading: 'Downloading',
  reading: 'Reading',
  writing: 'Writing',
  compressing: 'Compressing',
  uploading: 'Uploading',
  mounted: 'Mounted',
  done: 'Done',
  exists: 'Already there',
};

/**
 * Shows progress: on a terminal a line for each item that changes in place, elsewhere a line for each phase of an item.
 */
export class ProgressLines {
  readonly #phases = new Map<string, string>();
  readonly #lines = new Map<string, string>();
  #shown = 0;

  /** @param isTerminal whether lines can be rewritten */
  constructor(
    private readonly out: Writable,
    private readonly isTerminal: boolean,
  ) {}

  readonly show = (step: Step): void => {
    if (this.isTerminal) {
      this.#lines.set(step.item, lineOf(step));
      this.#redraw();
    } else if (this.#phases.get(step.item) !== step.phase) {
      this.#phases.set(step.item, step.phase);
      this.out.write(`${step.item}: ${WORDS[step.phase] ?? step.phase}\n`);
    }
  };

  #redraw(): void {
    const up = this.#shown > 0 ? `\x1b[${this.#shown}A` : '';
    this.#shown = this.#lines.size;
    this.out.write(up + [...this.#lines.values()].map((line) => `\r\x1b[K${line}\n`).join(''));
  }
}

/** For the options of a client's method: progress and warnings on stderr, unless it is to be quiet. */
export function progressOf(quiet: boolean) {
  if (quiet) return {};
  const { stderr } = process;
  return {
    onProgress: new ProgressLines(stderr, stderr.isTTY).show,
    onWarning: (message: string) => void stderr.write(`a3s-box: ${message}\n`),
  };
}

function lineOf({ item, phase, done, total }: Step): string {
  const word = WORDS[phase] ?? phase;
  if (['done', 'exists', 'mounted'].includes(phase) || done === 0) return `${item}: ${word}`;
  return `${item}: ${word} ${humanSize(done)}${total === undefined ? '' : ` of ${humanSize(total)}`}`;
}
