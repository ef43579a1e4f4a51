/** Ports of a word of EXPOSE, as image configs have them; undefined for a word that names none. */
export function portsOf(word: string): string[] | undefined {
  const [, low = '', high = low, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(word) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === '' || first > last || last > 65_535 || !/^(tcp|udp|sctp)$/i.test(protocol)) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol.toLowerCase()}`);
}
