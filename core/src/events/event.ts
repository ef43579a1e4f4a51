/** What an event happened to. */
export const EVENT_TYPES = ['container', 'image', 'network', 'snapshot', 'volume'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Something that happened, as it is told to the log of events. */
export interface NewEvent {
  readonly type: EventType;
  /** Docker's name of it where there is one; what comes after a colon tells more of it. */
  readonly action: string;
  /** Full id of a box, image or snapshot; name of a volume or network. */
  readonly actor: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Something that happened, as it is kept. */
export interface KeptEvent extends NewEvent {
  /** Counts up. */
  readonly sequence: bigint;
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
}

/** Labels in an event take so many bytes at most; those after that are left out. */
const LABEL_BYTES = 4096;
/** So many characters of a command line are told. */
const COMMAND_LENGTH = 256;

/** As many of some labels as an event has room for. */
export function boundedLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {};
  let room = LABEL_BYTES;
  for (const [name, value] of Object.entries(labels)) {
    room -= Buffer.byteLength(name) + Buffer.byteLength(value);
    if (room < 0) break;
    kept[name] = value;
  }
  return kept;
}

/** A command line in one line of bounded length. */
export function commandText(command: readonly string[]): string {
  const text = command.join(' ');
  return text.length > COMMAND_LENGTH ? `${text.slice(0, COMMAND_LENGTH - 1)}…` : text;
}
