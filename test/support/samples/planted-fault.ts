/** A fuzz target with a fault that only guidance by coverage and comparisons finds in seconds. */
export function fuzz(input: Buffer): void {
  const text = input.toString('latin1');
  if (text.slice(0, 5) === 'magic' && input[5] === 0xc3 && (input[6] ?? 0) * 2 === 84) throw new TypeError('planted');
}

export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  yield ['short', Buffer.from('seed-of-the-target')];
}
