import { tarEnd, tarHeader, tarPadding, type TarMember } from '@a3s-box/core';

/** A member of a layer, with what is in it. */
export interface LayerMember extends TarMember {
  readonly content?: () => AsyncIterable<Uint8Array>;
}

/** The archive of a layer. The same members make the same bytes. */
export async function* layerArchive(members: AsyncIterable<LayerMember>): AsyncGenerator<Uint8Array> {
  for await (const { content, ...member } of members) {
    yield tarHeader(member);
    if (content === undefined) continue;
    yield* content();
    yield tarPadding(member.size ?? 0);
  }
  yield tarEnd();
}
