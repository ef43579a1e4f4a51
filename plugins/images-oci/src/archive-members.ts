import { BoxError, TarReader, type TarEntry, type TarSink } from '@a3s-box/core';

/** One member of an archive that is read from a stream. */
export interface ArchiveMember {
  readonly entry: TarEntry;
  /** The member's bytes. What is not read is skipped when the next member is asked for. */
  readonly content: AsyncIterable<Buffer>;
}

type TarEvent = { kind: 'entry'; entry: TarEntry } | { kind: 'data'; bytes: Buffer } | { kind: 'end' };

/**
 * Reads the members of a tar archive one after the other.
 * @param source whose chunks are not written to again
 * @throws IMAGE_CORRUPT when the archive is malformed or cut off
 */
export async function* archiveMembers(source: AsyncIterable<Buffer>): AsyncGenerator<ArchiveMember> {
  const events = new TarEvents(source);
  for (;;) {
    const event = await events.next();
    if (event === undefined) return;
    if (event.kind !== 'entry') continue;
    const content = contentOf(events);
    yield { entry: event.entry, content };
    for await (const skipped of content) void skipped;
  }
}

async function* contentOf(events: TarEvents): AsyncGenerator<Buffer> {
  while (!events.betweenMembers) {
    const event = await events.next();
    if (event?.kind === 'data') yield event.bytes;
    else if (event === undefined) throw new BoxError('IMAGE_CORRUPT', 'archive is cut off');
  }
}

/** The reader's calls as a sequence. */
class TarEvents implements TarSink {
  betweenMembers = true;
  private readonly waiting: TarEvent[] = [];
  private readonly reader = new TarReader(this);
  private readonly source: AsyncIterator<Buffer>;
  private ended = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async next(): Promise<TarEvent | undefined> {
    while (this.waiting.length === 0) {
      if (this.ended) return undefined;
      const chunk = await this.source.next();
      if (chunk.done === true) {
        this.ended = true;
        this.reader.end(true);
      } else {
        this.reader.push(chunk.value);
      }
    }
    const event = this.waiting.shift();
    if (event?.kind === 'entry') this.betweenMembers = false;
    if (event?.kind === 'end') this.betweenMembers = true;
    return event;
  }

  entry(entry: TarEntry): void {
    this.waiting.push({ kind: 'entry', entry });
  }

  data(bytes: Buffer): void {
    this.waiting.push({ kind: 'data', bytes });
  }

  entryEnd(): void {
    this.waiting.push({ kind: 'end' });
  }

  frame(): void {
    // Headers and padding are of no use here.
  }
}
